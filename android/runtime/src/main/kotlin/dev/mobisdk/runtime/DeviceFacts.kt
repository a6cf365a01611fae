package dev.mobisdk.runtime

/** What the benchmark asks of the phone. What the system does not tell is null, never a guess. */
public interface DeviceFacts {
    /** The program that measures. */
    public val app: App

    /** The phone. */
    public val device: Device

    /** A UUID that is drawn when the process starts: the system's own process numbers come back. */
    public val processId: String

    /** Reads battery, power mode and heat; `thermalAfter` is null. */
    public fun readConditions(): Conditions

    /**
     * The thermal state now. It is asked after every sample: what a listener was told last, no call of the system, and
     * no allocation.
     */
    public fun thermalState(): ThermalState?

    /** Whether the app is in the foreground now; asked after every sample, as [thermalState] is. */
    public fun isForeground(): Boolean

    /** Blocks until the app is in the foreground again; throws [InterruptedException] where the thread is to end. */
    public fun awaitForeground()

    /** Largest memory of this process so far, in bytes. */
    public fun readPeakMemoryBytes(): Long?

    /** The battery's charge counter in microampere-hours. */
    public fun readChargeUah(): Long?
}
