package dev.mobisdk.runtime

import java.time.Clock
import java.time.OffsetDateTime
import java.time.ZoneOffset
import java.time.format.DateTimeFormatter
import java.time.temporal.ChronoUnit

private const val FIRST_YEAR = 2000

/** Now, RFC 3339 with milliseconds and the phone's offset. */
internal fun timestampOf(clock: Clock): String {
    val now = OffsetDateTime.now(clock)
    if (now.year < FIRST_YEAR) throw DeviceError("the phone's clock was never set", got = "$now", hint = "Set its date and time")
    return DateTimeFormatter.ISO_OFFSET_DATE_TIME.format(now.truncatedTo(ChronoUnit.MILLIS))
}

/** The hour alone, in UTC: neither the minute nor where the phone is. */
internal fun hourOf(clock: Clock): String =
    DateTimeFormatter.ISO_OFFSET_DATE_TIME.format(
        OffsetDateTime.now(clock).withOffsetSameInstant(ZoneOffset.UTC).truncatedTo(ChronoUnit.HOURS),
    )
