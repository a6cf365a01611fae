package dev.mobisdk.runtime

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.io.IOException
import java.time.Duration
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executor
import java.util.concurrent.TimeUnit

class ProductionLogTest {
    private val clock = FakeClock()
    private val bundle = androidBundle
    private val runtime = RuntimeInfo("executorch", "1.4.1", "xnnpack", null, 4)
    private val direct = Executor { it.run() }

    private fun log(
        file: File,
        share: Double = 1.0,
        largestBytes: Int = 1 shl 20,
        random: () -> Double = { 0.5 },
        executor: Executor = direct,
    ) = ProductionLog(file, share, FakeFacts(), largestBytes, FakeWallClock(clock), random, executor)

    private fun ProductionLog.append(inferenceNs: Long = 9) = append(bundle, runtime, SourceImage(400, 300), PhaseTimes(8, inferenceNs, 7))

    private fun ProductionLog.take(): List<LatencyRun> {
        var lines = emptyList<String>()
        handOver { lines = it.toString(Charsets.UTF_8).lines().dropLast(1) }
        return lines.map { parseLatencyRun(it.toByteArray()) }
    }

    @Test
    fun `a line tells times and the hour, and nothing personal`() {
        withFolder { folder ->
            val log = log(File(folder, "production.jsonl"))
            log.append()
            assertNull(log.lastError)
            val run = log.take().single()
            assertEquals(Mode.PRODUCTION, run.mode)
            assertEquals("2026-01-02T03:00:00Z", run.startedAt)
            assertNull(run.notes)
            assertNull(run.golden)
            assertEquals(
                listOf(8L, 9L, 7L, 0L),
                listOf(run.preprocessNs, run.inferenceNs, run.postprocessNs, run.sampleAtNs).map { it.single() },
            )
            assertNotEquals("no id of the process, which outlives a day", FakeFacts().processId, run.processId)
            assertEquals(SourceImage(400, 300), run.sourceImage)
        }
    }

    @Test
    fun `ids change daily`() {
        withFolder { folder ->
            val log = log(File(folder, "production.jsonl"))
            log.append()
            log.append()
            clock.now += Duration.ofHours(24).toNanos()
            log.append()
            val runs = log.take()
            assertEquals(listOf(0L, 1L, 0L), runs.map { it.runIndex })
            for (id in listOf(LatencyRun::sessionId, LatencyRun::processId)) {
                assertEquals(id(runs[0]), id(runs[1]))
                assertNotEquals(id(runs[0]), id(runs[2]))
            }
        }
    }

    @Test
    fun `the share is drawn`() {
        withFolder { folder ->
            val numbers = listOf(0.0, 0.09, 0.1, 0.5, 0.99).iterator()
            val log = log(File(folder, "x"), share = 0.1, random = numbers::next)
            assertEquals(listOf(true, true, false, false, false), List(5) { log.draws() })
            assertFalse(log(File(folder, "x"), share = 0.0, random = { 0.0 }).draws())
            assertTrue(log(File(folder, "x"), share = 1.0, random = { 0.999 }).draws())
            assertTrue(ProductionLog(File(folder, "x"), 1.0, FakeFacts()).draws())
        }
    }

    @Test
    fun `the file is bounded, and the older half goes`() {
        withFolder { folder ->
            val file = File(folder, "production.jsonl")
            val log = log(file, largestBytes = 16 * 1024)
            for (sample in 1L..100) {
                log.append(sample)
                assertTrue(file.length() <= 16 * 1024)
            }
            val kept = log.take().map { it.inferenceNs.single() }
            assertEquals(100L, kept.last())
            assertEquals((kept.first()..100).toList(), kept)
            assertTrue("${kept.size}", kept.size >= 5)
        }
    }

    @Test
    fun `lines stay where the app does not take them, and go where it does`() {
        withFolder { folder ->
            val log = log(File(folder, "production.jsonl"))
            log.handOver { throw AssertionError("there is nothing") }
            log.append()
            assertThrows(IOException::class.java) { log.handOver { throw IOException("the app has no space") } }
            assertEquals(1, log.take().size)
            assertEquals(0, log.take().size)
        }
    }

    @Test
    fun `what a kill cut is not handed over`() {
        withFolder { folder ->
            val file = File(folder, "production.jsonl")
            val log = log(file)
            log.append()
            file.appendText("{\"schema\":")
            assertEquals(1, log.take().size)
        }
    }

    @Test
    fun `storage that is full is told, and throws nothing at whoever classifies`() {
        withFolder { folder ->
            val log = log(folder)
            log.append()
            assertTrue(log.lastError is DeviceError)
        }
    }

    @Test
    fun `whoever classifies does not wait for the file`() {
        withFolder { folder ->
            val isBlocked = CountDownLatch(1)
            val facts = FakeFacts()
            val slow =
                object : DeviceFacts by facts {
                    override fun readConditions(): Conditions {
                        isBlocked.await(20, TimeUnit.SECONDS)
                        return facts.readConditions()
                    }
                }
            val file = File(folder, "production.jsonl")
            val log = ProductionLog(file, 1.0, slow)
            repeat(200) { log.append() } // more than wait: they are dropped, not queued without end
            assertFalse(file.exists())
            isBlocked.countDown()
            val deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20)
            while (readLines(file) < 64 && System.nanoTime() < deadline) Thread.yield()
            assertTrue("${readLines(file)} lines", readLines(file) in 64..65) // one more where a thread took it before
        }
    }

    private fun readLines(file: File) = if (file.exists()) file.readText().count { it == '\n' } else 0

    @Test
    fun `settings outside what is allowed are refused by name`() {
        for (share in listOf(-0.1, 1.1, Double.NaN)) {
            val error = assertThrows(ConfigError::class.java) { log(File("x"), share = share) }
            assertEquals("share must be a number, got $share; allowed: 0 to 1. Try 0.01", error.message)
        }
        val error = assertThrows(ConfigError::class.java) { log(File("x"), largestBytes = 100) }
        assertEquals("largestBytes is out of range, got 100; allowed: 16384 to 16777216", error.message)
    }
}
