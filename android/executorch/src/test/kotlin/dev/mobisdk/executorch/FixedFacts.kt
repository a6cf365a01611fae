package dev.mobisdk.executorch

import dev.mobisdk.runtime.App
import dev.mobisdk.runtime.Conditions
import dev.mobisdk.runtime.Device
import dev.mobisdk.runtime.DeviceFacts
import dev.mobisdk.runtime.ThermalState

/** A phone that stays as it is. */
internal object FixedFacts : DeviceFacts {
    override val app = App("dev.example", "1.0", null)
    override val device = Device("android", "Google", "Pixel 8", "Google Tensor G3", "14", 34, 9, null, isEmulator = false)
    override val processId = "00000000-0000-4000-8000-000000000000"

    override fun readConditions() = Conditions(0.5, false, false, ThermalState.NOMINAL, null, "THERMAL_STATUS_NONE", 30.0, true)

    override fun thermalState() = ThermalState.NOMINAL

    override fun isForeground() = true

    override fun awaitForeground() = Unit

    override fun readPeakMemoryBytes(): Long? = null

    override fun readChargeUah(): Long? = null
}
