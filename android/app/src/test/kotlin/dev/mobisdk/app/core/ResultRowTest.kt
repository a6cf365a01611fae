package dev.mobisdk.app.core

import dev.mobisdk.app.contractFolder
import dev.mobisdk.runtime.CacheState
import dev.mobisdk.runtime.LatencyRun
import dev.mobisdk.runtime.Mode
import dev.mobisdk.runtime.ThermalSample
import dev.mobisdk.runtime.ThermalState
import dev.mobisdk.runtime.parseLatencyRun
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test
import java.io.File

class ResultRowTest {
    private val runs: List<LatencyRun> =
        File(contractFolder, "latency/good.jsonl").readLines().filter { it.isNotBlank() }.map { parseLatencyRun(it.toByteArray()) }
    private val run = runs.first { it.mode == Mode.BURST }.copy(cacheState = CacheState.WARM)

    @Test
    fun `every run of the contract has a row`() {
        for (each in runs) {
            val row = ResultRow.of(each)
            assertEquals(each.runId, row.runId)
            assertEquals(each.inferenceNs.size, row.samples)
        }
    }

    @Test
    fun `median and 90th percentile are samples that were taken`() {
        fun rowOf(vararg ns: Long) = ResultRow.of(run.copy(inferenceNs = ns))
        val ten = rowOf(10, 9, 8, 7, 6, 5, 4, 3, 2, 1)
        assertEquals(listOf(5L, 9L), listOf(ten.p50Ns, ten.p90Ns))
        assertEquals(listOf(7L, 7L), rowOf(7).let { listOf(it.p50Ns, it.p90Ns) })
        assertEquals(listOf(2L, 3L), rowOf(3, 1, 2).let { listOf(it.p50Ns, it.p90Ns) })
        assertNull(rowOf().p50Ns)
    }

    @Test
    fun `a run whose numbers are worth less is marked`() {
        val calm =
            run.copy(
                conditions =
                    run.conditions.copy(
                        charging = false,
                        lowPowerMode = false,
                        foreground = true,
                        thermalBefore = ThermalState.NOMINAL,
                        thermalAfter = ThermalState.FAIR,
                    ),
                thermal = emptyList(),
            )
        assertEquals(emptyList<RunMark>(), ResultRow.of(calm).marks)
        val left = calm.copy(conditions = calm.conditions.copy(foreground = false, charging = true, lowPowerMode = true))
        assertEquals(listOf(RunMark.LEFT_FOREGROUND, RunMark.LOW_POWER, RunMark.CHARGING), ResultRow.of(left).marks)
        assertEquals(listOf(RunMark.HOT), ResultRow.of(calm.copy(thermal = listOf(ThermalSample(5, ThermalState.SERIOUS)))).marks)
    }

    @Test
    fun `a network is named by what was varied`() {
        val bundle = run.bundle.copy(arch = "mobilenet_v1", alpha = 0.25, resolution = 224, recipe = "xnnpack_int8")
        assertEquals("mobilenet_v1 · α 0.25 · 224 px · xnnpack_int8", ResultRow.of(run.copy(bundle = bundle)).network)
        assertEquals(
            "module · xnnpack_int8",
            ResultRow.of(run.copy(bundle = bundle.copy(arch = null, alpha = null, resolution = null))).network,
        )
    }
}
