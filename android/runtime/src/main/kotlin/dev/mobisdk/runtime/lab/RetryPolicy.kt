package dev.mobisdk.runtime.lab

import java.security.SecureRandom

private const val FIRST_SECONDS = 1.0
private const val LONGEST_SECONDS = 60.0
private const val STANDARD_ATTEMPTS = 6
private const val MOST_DOUBLINGS = 10

/**
 * How long to wait before asking again: exponential backoff with full jitter, at least what the server asks for.
 *
 * @property attempts in a row without any success.
 * @param sleep waits so many milliseconds; tests do not.
 * @param random 0 to 1, the jitter.
 */
public class RetryPolicy(
    public val attempts: Int = STANDARD_ATTEMPTS,
    private val sleep: (millis: Long) -> Unit = Thread::sleep,
    private val random: () -> Double = SecureRandom()::nextDouble,
) {
    /** Waits before attempt [number], from 1. */
    internal fun wait(
        number: Int,
        atLeastSeconds: Int,
    ) {
        val most = minOf(FIRST_SECONDS * (1 shl minOf(number, MOST_DOUBLINGS)), LONGEST_SECONDS)
        sleep(((atLeastSeconds + most * random()) * 1000).toLong())
    }

    /** Runs [body] until it is through, or has failed [attempts] times in a row. */
    internal inline fun <T> repeating(body: () -> T): T {
        var failures = 0
        while (true) {
            try {
                return body()
            } catch (refusal: LabRefusal.Retry) {
                if (++failures >= attempts) throw refusal
                wait(failures, refusal.afterSeconds)
            }
        }
    }
}
