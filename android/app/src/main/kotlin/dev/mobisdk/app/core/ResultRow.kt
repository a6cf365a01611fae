package dev.mobisdk.app.core

import dev.mobisdk.runtime.LatencyRun
import dev.mobisdk.runtime.Mode
import dev.mobisdk.runtime.ThermalState

/** One run of the log, as a table shows it. The log keeps every sample; these are for a first look. */
data class ResultRow(
    val runId: String,
    val network: String,
    val mode: Mode,
    val startedAt: String,
    val samples: Int,
    val p50Ns: Long?,
    val p90Ns: Long?,
    val loadNs: Long?,
    val firstInferenceNs: Long?,
    val threads: Int?,
    val marks: List<RunMark>,
) {
    companion object {
        fun of(run: LatencyRun): ResultRow {
            val sorted = run.inferenceNs.sortedArray()
            return ResultRow(
                runId = run.runId,
                network = networkOf(run),
                mode = run.mode,
                startedAt = run.startedAt,
                samples = sorted.size,
                p50Ns = quantile(sorted, 1, 2),
                p90Ns = quantile(sorted, 9, 10),
                loadNs = run.loadNs,
                firstInferenceNs = run.firstInferenceNs,
                threads = run.runtime.threads,
                marks = marksOf(run),
            )
        }

        private fun networkOf(run: LatencyRun): String {
            val bundle = run.bundle
            val parts = listOfNotNull(bundle.arch ?: "module", bundle.alpha?.let { "α $it" }, bundle.resolution?.let { "$it px" })
            return (parts + bundle.recipe).joinToString(" · ")
        }

        /** The smallest sample that is at least as large as this share of them. */
        private fun quantile(
            sorted: LongArray,
            part: Int,
            whole: Int,
        ): Long? = if (sorted.isEmpty()) null else sorted[(sorted.size * part + whole - 1) / whole - 1]

        private fun marksOf(run: LatencyRun): List<RunMark> {
            val now = run.conditions
            val states = listOfNotNull(now.thermalBefore, now.thermalAfter) + run.thermal.map { it.state }
            return buildList {
                if (now.foreground == false) add(RunMark.LEFT_FOREGROUND)
                if (states.any { it >= ThermalState.SERIOUS }) add(RunMark.HOT)
                if (now.lowPowerMode == true) add(RunMark.LOW_POWER)
                if (now.charging == true) add(RunMark.CHARGING)
            }
        }
    }
}

/** Why a run's numbers are worth less. */
enum class RunMark { LEFT_FOREGROUND, HOT, LOW_POWER, CHARGING }
