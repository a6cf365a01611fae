package dev.mobisdk.runtime

/**
 * Every error that the runtime throws on purpose: the Python SDK's tree, without `ConversionError`, since nothing is
 * converted on a phone.
 *
 * The [message] is one sentence that a person can act on: what is wrong, the value received, what is allowed, the next
 * step.
 *
 * @property what what is wrong.
 * @property got the value received, quoted and shortened where it is of others; null where there is none.
 * @property allowed what would have been right.
 * @property hint the next step.
 */
public sealed class MobiError(
    public val what: String,
    public val got: String?,
    public val allowed: String?,
    public val hint: String?,
    cause: Throwable?,
) : Exception(
        buildString {
            append(what)
            got?.let { append(", got ").append(it) }
            allowed?.let { append("; allowed: ").append(it) }
            hint?.let { append(". ").append(it) }
        },
        cause,
    )

/** A setting is wrong: a configuration, an option, a combination. */
public class ConfigError(
    what: String,
    got: String? = null,
    allowed: String? = null,
    hint: String? = null,
    cause: Throwable? = null,
) : MobiError(what, got, allowed, hint, cause)

/** The request is understood, and cannot be met here. */
public class UnsupportedError(
    what: String,
    got: String? = null,
    allowed: String? = null,
    hint: String? = null,
    cause: Throwable? = null,
) : MobiError(what, got, allowed, hint, cause)

/** Images, labels or logs are not what they should be. */
public class DataError(
    what: String,
    got: String? = null,
    allowed: String? = null,
    hint: String? = null,
    cause: Throwable? = null,
) : MobiError(what, got, allowed, hint, cause)

/** A bundle is damaged, tampered with, or cannot be written. */
public class BundleError(
    what: String,
    got: String? = null,
    allowed: String? = null,
    hint: String? = null,
    cause: Throwable? = null,
) : MobiError(what, got, allowed, hint, cause)

/** The artefact disagrees with the network it was made from. */
public class ParityError(
    what: String,
    got: String? = null,
    allowed: String? = null,
    hint: String? = null,
    cause: Throwable? = null,
) : MobiError(what, got, allowed, hint, cause)

/** The phone refused: no space, no memory, a file that cannot be written. */
public class DeviceError(
    what: String,
    got: String? = null,
    allowed: String? = null,
    hint: String? = null,
    cause: Throwable? = null,
) : MobiError(what, got, allowed, hint, cause)

/**
 * The lab server cannot be reached, or answered what it should not.
 *
 * @property isTokenVoid the server does not know this phone any more: forget the token and join again.
 */
public class ServerError(
    what: String,
    got: String? = null,
    allowed: String? = null,
    hint: String? = null,
    cause: Throwable? = null,
    public val isTokenVoid: Boolean = false,
) : MobiError(what, got, allowed, hint, cause)

private const val LONGEST_VALUE = 200

/** This text in quotes, on one line and not too long: it may come from a hostile file or server. */
internal fun String.shown(): String {
    val head = if (length <= LONGEST_VALUE) this else substring(0, LONGEST_VALUE)
    val printable =
        head.map { letter ->
            val odd = letter.isISOControl() || letter.category in ODD_CATEGORIES
            if (odd) "\\u%04x".format(letter.code) else letter.toString()
        }
    return "'" + printable.joinToString("") + if (head.length == length) "'" else "…' ($length characters)"
}

private val ODD_CATEGORIES =
    setOf(CharCategory.FORMAT, CharCategory.LINE_SEPARATOR, CharCategory.PARAGRAPH_SEPARATOR, CharCategory.UNASSIGNED)
