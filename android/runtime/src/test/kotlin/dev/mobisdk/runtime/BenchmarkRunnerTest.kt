package dev.mobisdk.runtime

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.util.concurrent.CancellationException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit

/** Of a wait that ends at once where the code is right. */
private const val LONGEST_SECONDS = 20L

class BenchmarkRunnerTest {
    private val clock = FakeClock()
    private val wallClock = FakeWallClock(clock)
    private val facts = FakeFacts()
    private val bundle = androidBundle
    private val opened = ArrayList<FakeClassifier>()

    private fun runner(
        config: BenchConfig,
        coldStarter: ColdStarter? = null,
        process: ProcessRecord = ProcessRecord(),
        open: (ModelBundle) -> FakeClassifier = { FakeClassifier(it, clock) },
    ) = BenchmarkRunner(
        config,
        facts,
        { open(it).also { classifier -> opened += classifier } },
        { plainImage(orientation = 6) },
        coldStarter,
        clock,
        wallClock,
        process,
    )

    private fun BenchmarkRunner.collect(bundles: List<ModelBundle> = listOf(bundle)): List<LatencyRun> {
        val runs = ArrayList<LatencyRun>()
        run(bundles) { runs += it }
        return runs
    }

    @Test
    fun `a burst keeps every sample, phase by phase`() {
        val runs =
            runner(BenchConfig(runs = 2, samples = 20)) {
                FakeClassifier(it, clock, inferenceNs = { call ->
                    1000L + call
                })
            }.collect()
        assertEquals(listOf(0L, 1L), runs.map { it.runIndex })
        assertEquals(1, runs.map { it.sessionId }.toSet().size)
        assertEquals(2, runs.map { it.runId }.toSet().size)
        val run = runs[0]
        // The golden check is call 0; ten warm up, since times do not fall.
        assertArrayEquals(LongArray(10) { 1001L + it }, run.warmupNs)
        assertArrayEquals(LongArray(20) { 1011L + it }, run.inferenceNs)
        assertArrayEquals(LongArray(20) { 70 }, run.preprocessNs)
        assertArrayEquals(LongArray(20) { 0 }, run.postprocessNs)
        assertEquals(0, run.sampleAtNs[0])
        assertEquals(run.inferenceNs[0] + 70, run.sampleAtNs[1])
        assertEquals(1000L, run.firstInferenceNs)
        assertEquals(5000L, run.loadNs)
        assertEquals(SourceImage(12, 16), run.sourceImage)
        assertEquals(Mode.BURST, run.mode)
        assertEquals("2026-01-02T05:04:05.679+02:00", run.startedAt)
        assertEquals(GoldenCheck(true, 0.0, true), run.golden)
        assertEquals(12_345L, run.memory.peakBytes)
        assertEquals(true, run.conditions.foreground)
        assertNull(run.notes)
        runs.forEach { it.toJsonLine() }
        assertTrue(opened.all { !it.isLoaded && it.closings == 1 })
        assertEquals(3, opened.size)
    }

    @Test
    fun `warming up ends when times stop falling, and says so where they do not`() {
        val falling =
            runner(BenchConfig(runs = 1, samples = 3)) {
                FakeClassifier(it, clock, inferenceNs = { call ->
                    maxOf(10_000 - call * 500L, 2000)
                })
            }
        val run = falling.collect().single()
        assertTrue("${run.warmupNs.size}", run.warmupNs.size in 15..25)
        assertNull(run.notes)
        val slow =
            runner(BenchConfig(runs = 1, samples = 3)) {
                FakeClassifier(it, clock, inferenceNs = { call ->
                    6_000_000_000L /
                        (1 + call)
                })
            }
        val cold = slow.collect().single()
        assertTrue(cold.notes.toString().startsWith("not warm yet after "))
    }

    @Test
    fun `sustained mode ends by its time, and tells progress once a second`() {
        val told = ArrayList<BenchProgress>()
        val runs = ArrayList<LatencyRun>()
        runner(BenchConfig(mode = Mode.SUSTAINED, runs = 1, seconds = 4.0)) { FakeClassifier(it, clock, inferenceNs = { 100_000_000 }) }
            .run(listOf(bundle), { told += it }) { runs += it }
        assertEquals(Mode.SUSTAINED, runs[0].mode)
        assertEquals(40, runs[0].inferenceNs.size)
        assertEquals(4, told.size)
        assertEquals(bundle.name, told[0].bundleName)
        assertEquals(1, told[0].runsTotal)
        assertEquals(100_000_000L, told[0].latestInferenceNs)
        assertTrue(told.map { it.runsDone } == told.map { it.runsDone }.sorted() && told.last().runsDone <= 1)
    }

    @Test
    fun `thermal states are kept where they change`() {
        val states = listOf(ThermalState.NOMINAL, ThermalState.NOMINAL, ThermalState.SERIOUS, null, ThermalState.SERIOUS, ThermalState.FAIR)
        facts.thermal = ThermalState.NOMINAL
        val run =
            runner(BenchConfig(runs = 1, samples = 6)) {
                FakeClassifier(it, clock, onForward = { call -> if (call >= 11) facts.thermal = states[call - 11] })
            }.collect().single()
        assertEquals(listOf(ThermalState.NOMINAL, ThermalState.SERIOUS, ThermalState.FAIR), run.thermal.map { it.state })
        assertEquals(ThermalState.NOMINAL, run.conditions.thermalBefore)
        assertEquals(ThermalState.FAIR, run.conditions.thermalAfter)
    }

    @Test
    fun `bundles take turns, and each round begins with another`() {
        val other = ModelBundle.open(bundle.directory)
        val order = ArrayList<ModelBundle>()
        runner(BenchConfig(runs = 3, samples = 1)) {
            FakeClassifier(
                it.also { opening ->
                    order += opening
                },
                clock,
            )
        }.collect(listOf(bundle, other))
        val rounds = order.drop(2).map { if (it === bundle) 'a' else 'b' }.joinToString("")
        assertEquals("abbaab", rounds)
    }

    @Test
    fun `memory of several bundles in one process is not told`() {
        val runs = runner(BenchConfig(runs = 1, samples = 1)).collect(listOf(bundle, ModelBundle.open(bundle.directory)))
        assertEquals(listOf(null, null), runs.map { it.memory.peakBytes })
    }

    @Test
    fun `energy is the charge that a run took, and null where the phone is silent`() {
        facts.charges = mutableListOf(9000, 5000, 4200) // the check that comes first asks too
        assertEquals(
            800L,
            runner(BenchConfig(runs = 1, samples = 1))
                .collect()
                .single()
                .energy.chargeUah,
        )
        facts.charges = mutableListOf(9000, 5000, null)
        assertNull(
            runner(BenchConfig(runs = 1, samples = 1))
                .collect()
                .single()
                .energy.chargeUah,
        )
    }

    @Test
    fun `a run that a call interrupts is paused, marked, and without the sample that it spoilt`() {
        var waits = 0
        facts.onAwaitForeground = {
            if (!facts.foreground) {
                waits++
                clock.now += 3_600_000_000_000
                facts.foreground = true
            }
        }
        val runs =
            runner(BenchConfig(runs = 2, samples = 5)) {
                val isFirstRun = opened.size == 1
                FakeClassifier(it, clock, onForward = { call -> if (isFirstRun && call == 13) facts.foreground = false })
            }.collect()
        assertEquals(1, waits)
        assertEquals(listOf(false, true), runs.map { it.conditions.foreground })
        assertEquals(listOf("the app left the foreground during this run", null), runs.map { it.notes?.substringBefore(";") })
        assertEquals(5, runs[0].inferenceNs.size)
        assertTrue("the pause is no sample's time", runs[0].inferenceNs.all { it == 1000L })
        assertTrue("and shows between them", runs[0].sampleAtNs[2] - runs[0].sampleAtNs[1] > 3_600_000_000_000)
    }

    @Test
    fun `a run that is interrupted while it warms up is marked too`() {
        facts.onAwaitForeground = { facts.foreground = true }
        val run =
            runner(BenchConfig(runs = 1, samples = 5)) {
                FakeClassifier(it, clock, onForward = { call -> if (opened.size == 2 && call == 3) facts.foreground = false })
            }.collect().single()
        assertEquals(false, run.conditions.foreground)
    }

    @Test
    fun `a clock that is set during a run is said, and changes no duration`() {
        for ((step, note) in listOf(-3600L to "set back by 3600 s", 86_400L to "set forward by 86400 s")) {
            val run =
                runner(BenchConfig(runs = 1, samples = 5)) {
                    FakeClassifier(it, clock, onForward = { call -> if (opened.size % 2 == 0 && call == 12) wallClock.setBy += step })
                }.collect().single()
            assertEquals("the phone's clock was $note during this run", run.notes)
            assertArrayEquals(LongArray(5) { 1000 }, run.inferenceNs)
        }
    }

    @Test
    fun `a clock that was never set is said before anything is measured`() {
        wallClock.setBy = -40L * 365 * 86_400
        val error = assertThrows(DeviceError::class.java) { runner(BenchConfig(runs = 1)).collect() }
        assertTrue(error.message!!, error.message!!.startsWith("the phone's clock was never set, got 19"))
    }

    @Test
    fun `an artefact that is wrong about its golden image is not measured`() {
        val runs = ArrayList<LatencyRun>()
        val wrong = bundle.readGoldenOutput().also { it[0] += 100f }
        val runner = runner(BenchConfig(runs = 1)) { FakeClassifier(it, clock, logits = wrong) }
        val error = assertThrows(ParityError::class.java) { runner.run(listOf(bundle)) { runs += it } }
        assertTrue(error.message!!, error.message!!.startsWith("${bundle.name} is wrong about its golden image here, with "))
        assertEquals(0, runs.size)
        assertEquals(listOf(1), opened.map { it.closings })
    }

    @Test
    fun `a network that fails in the middle is closed, and runs before it were delivered`() {
        val runs = ArrayList<LatencyRun>()
        val runner =
            runner(BenchConfig(runs = 2, samples = 5)) {
                FakeClassifier(it, clock, onForward = { call -> if (opened.size == 3 && call == 12) throw BundleError("broken") })
            }
        assertThrows(BundleError::class.java) { runner.run(listOf(bundle)) { runs += it } }
        assertEquals(1, runs.size)
        assertTrue(opened.all { !it.isLoaded })
    }

    @Test
    fun `cancelling drops the run under way alone`() {
        val runs = ArrayList<LatencyRun>()
        lateinit var runner: BenchmarkRunner
        runner =
            runner(BenchConfig(runs = 3, samples = 5)) {
                FakeClassifier(it, clock, onForward = { call -> if (opened.size == 3 && call == 12) runner.cancel() })
            }
        assertThrows(CancellationException::class.java) { runner.run(listOf(bundle)) { runs += it } }
        assertEquals(1, runs.size)
        assertTrue(opened.all { !it.isLoaded })
    }

    @Test
    fun `cancelling ends a pause, and leaves the thread uninterrupted`() {
        val isWaiting = CountDownLatch(1)
        facts.onAwaitForeground = {
            isWaiting.countDown()
            CountDownLatch(1).await(LONGEST_SECONDS, TimeUnit.SECONDS)
        }
        val runner = runner(BenchConfig(runs = 1))
        var wasInterrupted = true
        var outcome: Throwable? = null
        val thread =
            Thread {
                outcome = assertThrows(CancellationException::class.java) { runner.collect() }
                wasInterrupted = Thread.currentThread().isInterrupted
            }
        thread.start()
        assertTrue(isWaiting.await(LONGEST_SECONDS, TimeUnit.SECONDS))
        runner.cancel()
        thread.join(TimeUnit.SECONDS.toMillis(LONGEST_SECONDS))
        assertEquals("the benchmark was cancelled", outcome?.message)
        assertEquals(false, wasInterrupted)
    }

    @Test
    fun `cold starts come first, each from a process of its own`() {
        val cold = runner(BenchConfig()).runCold(bundle)
        assertEquals(Mode.COLD, cold.mode)
        assertEquals(0, cold.inferenceNs.size)
        cold.toJsonLine()
        val elsewhere = cold.copy(processId = "c1f9d2be-7f0e-4c1b-8d59-000000000000")
        val asked = ArrayList<Int?>()
        val starter =
            ColdStarter { _, threads ->
                asked += threads
                elsewhere
            }
        val runs = runner(BenchConfig(threads = 2, runs = 1, samples = 1, coldStarts = 2), starter).collect()
        assertEquals(listOf(Mode.COLD, Mode.COLD, Mode.BURST), runs.map { it.mode })
        assertEquals(listOf(0L, 1L, 2L), runs.map { it.runIndex })
        assertEquals(listOf<Int?>(2, 2), asked)
        assertEquals(1, runs.map { it.sessionId }.toSet().size)
        val here = ColdStarter { _, _ -> cold }
        val error = assertThrows(DeviceError::class.java) { runner(BenchConfig(coldStarts = 1), here).collect() }
        assertTrue(error.message!!, error.message!!.endsWith("got a run of this process"))
    }

    @Test
    fun `a process that has loaded a network takes no cold start`() {
        val process = ProcessRecord()
        runner(BenchConfig(runs = 1, samples = 1), process = process).collect()
        val error = assertThrows(UnsupportedError::class.java) { runner(BenchConfig(), process = process).runCold(bundle) }
        assertEquals("this process has loaded a network before, so no start in it is cold. Quit the app and start it anew", error.message)
        val config = BenchConfig(coldStarts = 1)
        assertThrows(UnsupportedError::class.java) { runner(config).collect() }
    }

    @Test
    fun `a process has one thread count`() {
        val process = ProcessRecord()
        runner(BenchConfig(threads = 2, runs = 1, samples = 1), process = process).collect()
        runner(BenchConfig(threads = 2, runs = 1, samples = 1), process = process).collect()
        val error =
            assertThrows(UnsupportedError::class.java) {
                runner(BenchConfig(threads = 4, runs = 1, samples = 1), process = process).collect()
            }
        assertEquals(
            "this process measures with another thread count already, got 4; allowed: 2. Quit the app and start it anew",
            error.message,
        )
    }

    @Test
    fun `settings outside what is allowed are refused by name`() {
        fun refused(make: () -> BenchConfig) = assertThrows(ConfigError::class.java) { make() }.message!!
        assertEquals("threads is out of range, got 0; allowed: 1 to 1024", refused { BenchConfig(threads = 0) })
        assertEquals("runs is out of range, got 10001; allowed: 1 to 10000", refused { BenchConfig(runs = 10_001) })
        assertEquals("samples is out of range, got 0; allowed: 1 to 300000", refused { BenchConfig(samples = 0) })
        assertEquals("mode is unknown, got COLD; allowed: BURST, SUSTAINED", refused { BenchConfig(mode = Mode.COLD) })
        for (seconds in listOf(0.0, Double.NaN, 3601.0)) assertTrue(refused { BenchConfig(seconds = seconds) }.endsWith("Try 60"))
    }

    @Test
    fun `a battery saver and a battery at zero are logged as they are`() {
        facts.batteryLevel = 0.0
        facts.lowPowerMode = true
        val run = runner(BenchConfig(runs = 1, samples = 1)).collect().single()
        val read = parseLatencyRun(run.toJsonLine().toByteArray()).conditions
        assertEquals(listOf(0.0, true), listOf(read.batteryLevel, read.lowPowerMode))
    }
}
