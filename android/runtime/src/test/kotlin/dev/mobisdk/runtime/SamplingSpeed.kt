package dev.mobisdk.runtime

import com.sun.management.ThreadMXBean
import org.junit.Assert.assertTrue
import org.junit.Test
import java.lang.management.ManagementFactory

/** What the runner itself costs a sample: time beside the phases, and memory. */
class SamplingSpeed {
    private val bundle = androidBundle
    private val facts = FakeFacts()

    @Test
    fun `the runner takes at most 20 microseconds a sample beside the phases`() {
        val runs = measure(samples = 20_000)
        val run = runs.last()
        val gaps =
            LongArray(run.inferenceNs.size - 1) {
                run.sampleAtNs[it + 1] - run.sampleAtNs[it] - run.preprocessNs[it] - run.inferenceNs[it] - run.postprocessNs[it]
            }
        gaps.sort()
        val median = gaps[gaps.size / 2]
        val inference = run.inferenceNs.sorted()[run.inferenceNs.size / 2]
        println("runner's own time a sample: median $median ns, p99 ${gaps[gaps.size * 99 / 100]} ns; an empty forward: $inference ns")
        assertTrue("median $median ns", median <= 20_000)
        assertTrue("an empty forward takes $inference ns", inference <= 20_000)
    }

    @Test
    fun `no sample allocates`() {
        val (few, many) = allocatedBy(1_000) to allocatedBy(101_000)
        val samples = 2 * 4L * Long.SIZE_BYTES * 2 // two runs: the arrays, and the copies that a run keeps
        val own = many - few - 100_000 * samples
        println("allocated by 100,000 samples beside their four numbers: $own bytes")
        assertTrue("$own bytes", Math.abs(own) < 100_000)
    }

    private fun allocatedBy(samples: Int): Long {
        val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
        val thread = Thread.currentThread().id
        measure(samples)
        val before = threads.getThreadAllocatedBytes(thread)
        measure(samples)
        return threads.getThreadAllocatedBytes(thread) - before
    }

    private fun measure(samples: Int): List<LatencyRun> {
        val runs = ArrayList<LatencyRun>()
        BenchmarkRunner(BenchConfig(runs = 2, samples = samples), facts, ::EmptyClassifier, { plainImage() }).run(listOf(bundle)) {
            runs +=
                it
        }
        return runs
    }

    private class EmptyClassifier(
        private val bundle: ModelBundle,
    ) : Classifier {
        private val golden = bundle.readGoldenOutput()
        override val runtime = RuntimeInfo("fake", "1", null, null, null)

        override fun load() = Unit

        override fun prepare(pixels: ByteArray) = Unit

        override fun forward(logits: FloatArray) {
            System.arraycopy(golden, 0, logits, 0, logits.size)
        }

        override fun readPlacement() = Placement.of(bundle.manifest)

        override fun close() = Unit
    }
}
