package dev.mobisdk.runtime

import java.io.File
import java.time.Clock
import java.time.Instant
import java.time.ZoneId
import java.time.ZoneOffset

/** A clock that stands still until somebody moves it. */
internal class FakeClock : NanoClock {
    var now = 1_000_000L

    override fun nanos(): Long = now
}

/** The clock on the wall, which people set. */
internal class FakeWallClock(
    private val clock: FakeClock,
    private val start: Instant = Instant.parse("2026-01-02T03:04:05.678Z"),
    private val zone: ZoneId = ZoneOffset.ofHours(2),
) : Clock() {
    var setBy = 0L

    override fun instant(): Instant = start.plusNanos(clock.now).plusSeconds(setBy)

    override fun getZone(): ZoneId = zone

    override fun withZone(zone: ZoneId): Clock = FakeWallClock(clock, start, zone)
}

/** Gives the golden logits, and moves the clock as a network would. */
internal class FakeClassifier(
    private val bundle: ModelBundle,
    private val clock: FakeClock? = null,
    private val threads: Int? = null,
    private val inferenceNs: (call: Int) -> Long = { 1000 },
    private val logits: FloatArray = bundle.readGoldenOutput(),
    private val onForward: (call: Int) -> Unit = {},
) : Classifier {
    var forwards = 0
    var isLoaded = false
    var closings = 0

    override val runtime get() = RuntimeInfo("fake", "1", bundle.manifest.target.backend, null, threads)

    override fun load() {
        advance(5000)
        isLoaded = true
    }

    override fun prepare(pixels: ByteArray) {
        check(isLoaded && pixels.size == 8 * 8 * 3)
        advance(70)
    }

    override fun forward(logits: FloatArray) {
        onForward(forwards)
        advance(inferenceNs(forwards++))
        System.arraycopy(this.logits, 0, logits, 0, logits.size)
    }

    override fun readPlacement(): Placement = Placement.of(bundle.manifest)

    override fun close() {
        isLoaded = false
        closings++
    }

    private fun advance(ns: Long) {
        if (clock != null) clock.now += ns
    }
}

/** A phone that is told what to say. */
internal class FakeFacts : DeviceFacts {
    var thermal: ThermalState? = ThermalState.NOMINAL
    var foreground = true
    var batteryLevel = 0.5
    var lowPowerMode = false
    var onAwaitForeground: () -> Unit = {}
    var charges = mutableListOf<Long?>()
    override val app = App("test", "1.0", null)
    override val device = Device("android", "Maker", "Model", "SoC", "14", 34, 8, 1L shl 33, false)
    override var processId = "c1f9d2be-7f0e-4c1b-8d59-6e6f2f1c0b22"

    override fun readConditions() = Conditions(batteryLevel, false, lowPowerMode, thermal, null, "THERMAL_STATUS_NONE", 25.0, foreground)

    override fun thermalState() = thermal

    override fun isForeground() = foreground

    override fun awaitForeground() = onAwaitForeground()

    override fun readPeakMemoryBytes(): Long? = 12_345

    override fun readChargeUah(): Long? = charges.removeFirstOrNull()
}

/** The contract's good bundle for Android: 8×8 pixels, two classes. */
internal val androidBundle: ModelBundle get() = ModelBundle.open(File(ContractFiles.directory, "bundles/android"))

/** A photograph of one colour. */
internal fun plainImage(
    width: Int = 16,
    height: Int = 12,
    orientation: Int = 1,
) = ArgbImage(IntArray(width * height) { 0xFF336699.toInt() }, width, height, orientation)
