package dev.mobisdk.runtime.lab

import dev.mobisdk.runtime.ServerError

/** What the phone does after an answer that is no success. */
internal sealed class LabRefusal(
    val error: ServerError,
) : Exception(error) {
    /** Ask again later, at the earliest after so many seconds. */
    class Retry(
        error: ServerError,
        val afterSeconds: Int = 0,
    ) : LabRefusal(error)

    /** The token is void: join the server again. */
    class SignIn(
        error: ServerError,
    ) : LabRefusal(error)

    /** The body is too large. */
    class Split(
        error: ServerError,
    ) : LabRefusal(error)

    /** Tell the person; do not repeat by itself. */
    class GiveUp(
        error: ServerError,
    ) : LabRefusal(error)
}

/** Runs [body]; outside of this library a refusal is its error. */
internal inline fun <T> unwrapped(body: () -> T): T =
    try {
        body()
    } catch (refusal: LabRefusal) {
        throw refusal.error
    }
