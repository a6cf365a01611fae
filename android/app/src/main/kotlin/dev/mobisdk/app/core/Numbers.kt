package dev.mobisdk.app.core

import java.util.Locale

private const val NS_IN_MS = 1e6
private const val BYTES_IN_MB = 1e6
private const val PERCENT = 100

/** Milliseconds with three digits that mean something, in the person's own digits: "0.482", "6.28", "13.1", "128". */
fun formatMs(
    ns: Long,
    locale: Locale,
): String {
    val ms = ns / NS_IN_MS
    val places =
        when {
            ms < 0.9995 -> 3
            ms < 9.995 -> 2
            ms < 99.95 -> 1
            else -> 0
        }
    return String.format(locale, "%.${places}f", ms)
}

/** "5.3": megabytes, as the command line counts them. */
fun formatMegabytes(
    bytes: Long,
    locale: Locale,
): String = String.format(locale, "%.1f", bytes / BYTES_IN_MB)

/** "98.3", without a sign: where it stands differs by language. */
fun formatPercent(
    share: Double,
    locale: Locale,
): String = String.format(locale, "%.1f", share * PERCENT)

/** As a person reads it: "192.168.1.20:8443", "[fd00::20]:8443". */
fun formatAddress(
    host: String,
    port: Int,
): String = if (':' in host) "[$host]:$port" else "$host:$port"
