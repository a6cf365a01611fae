package dev.mobisdk.fakephone

import dev.mobisdk.runtime.App
import dev.mobisdk.runtime.Conditions
import dev.mobisdk.runtime.Device
import dev.mobisdk.runtime.DeviceFacts
import dev.mobisdk.runtime.ThermalState
import java.util.UUID

/** A phone of no maker, without a battery. */
internal class HostFacts : DeviceFacts {
    override val app: App = App("FakePhone", "1.0", null)
    override val device: Device =
        Device(
            "android",
            "mobisdk",
            "FakePhone",
            null,
            System.getProperty("os.version"),
            null,
            Runtime.getRuntime().availableProcessors(),
            null,
            true,
        )
    override val processId: String = UUID.randomUUID().toString()

    override fun readConditions(): Conditions = Conditions(null, null, null, null, null, null, null, isForeground())

    override fun thermalState(): ThermalState? = null

    override fun isForeground(): Boolean = true

    override fun awaitForeground(): Unit = Unit

    override fun readPeakMemoryBytes(): Long? = null

    override fun readChargeUah(): Long? = null
}
