package dev.mobisdk.runtime

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** One scale of heat for all phones, from cool to hot. */
@Serializable
public enum class ThermalState {
    /** Cool. */
    @SerialName("nominal")
    NOMINAL,

    /** Warm; background work is slowed down. */
    @SerialName("fair")
    FAIR,

    /** Hot; the processor is slowed down. */
    @SerialName("serious")
    SERIOUS,

    /** Too hot: what is measured now says nothing of a cool phone. */
    @SerialName("critical")
    CRITICAL,
}

/** Android's seven thermal statuses on the one scale: the table is `tests/contract/thermal.json`. */
public object ThermalScale {
    private val STATUSES =
        arrayOf(
            "THERMAL_STATUS_NONE" to ThermalState.NOMINAL,
            "THERMAL_STATUS_LIGHT" to ThermalState.FAIR,
            "THERMAL_STATUS_MODERATE" to ThermalState.FAIR,
            "THERMAL_STATUS_SEVERE" to ThermalState.SERIOUS,
            "THERMAL_STATUS_CRITICAL" to ThermalState.CRITICAL,
            "THERMAL_STATUS_EMERGENCY" to ThermalState.CRITICAL,
            "THERMAL_STATUS_SHUTDOWN" to ThermalState.CRITICAL,
        )

    /** The state of `PowerManager.getCurrentThermalStatus()`; null for a number that Android does not document. */
    public fun fromAndroid(status: Int): ThermalState? = STATUSES.getOrNull(status)?.second

    /** Android's own word for a status; null for a number that it does not document. */
    public fun nameOfAndroid(status: Int): String? = STATUSES.getOrNull(status)?.first
}
