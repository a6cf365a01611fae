package dev.mobisdk.executorch

import java.io.File
import java.io.IOException

internal const val UNKNOWN = Int.MIN_VALUE
private const val BYTES_IN_KIB = 1024L
private const val TENTHS = 10.0
private val NO_NAMES = setOf("", "unknown")
private val EMULATOR_HARDWARE = setOf("goldfish", "ranchu", "cutf_cvm")

/** What the battery's broadcast says; [UNKNOWN] where it says nothing. */
internal class BatteryReading(
    private val level: Int,
    private val scale: Int,
    private val status: Int,
    private val temperature: Int,
) {
    /** 0 to 1. */
    val share: Double? get() = if (level in 0..scale && scale > 0) level.toDouble() / scale else null

    /** BatteryManager's CHARGING is 2, DISCHARGING 3, NOT_CHARGING 4, FULL 5: a full battery on a cable takes charge as needed. */
    val isCharging: Boolean?
        get() =
            when (status) {
                2, 5 -> true
                3, 4 -> false
                else -> null
            }

    /** Degrees. Phones without a sensor say 0. */
    val celsius: Double? get() = if (temperature == UNKNOWN || temperature == 0) null else temperature / TENTHS
}

/** The counter in microampere-hours; phones that have none answer 0 or the smallest number. */
internal fun chargeOf(property: Long): Long? = if (property > 0) property else null

/** "Qualcomm SM8650", or null where Android does not know. */
internal fun socOf(
    manufacturer: String?,
    model: String?,
): String? {
    if (model == null || model in NO_NAMES) return null
    return listOfNotNull(manufacturer?.takeIf { it !in NO_NAMES }, model).joinToString(" ")
}

internal fun isEmulator(
    hardware: String,
    fingerprint: String,
): Boolean = hardware in EMULATOR_HARDWARE || fingerprint.startsWith("generic")

/** The largest resident memory so far, in bytes, of the lines of `/proc/self/status`. */
internal fun peakMemoryOf(status: Sequence<String>): Long? =
    status
        .firstOrNull { it.startsWith("VmHWM:") }
        ?.split(Regex("\\s+"))
        ?.getOrNull(1)
        ?.toLongOrNull()
        ?.let { it * BYTES_IN_KIB }

internal fun readPeakMemory(file: File = File("/proc/self/status")): Long? =
    try {
        file.useLines(block = ::peakMemoryOf)
    } catch (_: IOException) {
        null
    }
