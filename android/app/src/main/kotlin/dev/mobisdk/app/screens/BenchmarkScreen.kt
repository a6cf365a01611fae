package dev.mobisdk.app.screens

import android.content.Context
import android.view.LayoutInflater
import android.view.View
import android.widget.Button
import android.widget.ListView
import android.widget.ProgressBar
import android.widget.RadioGroup
import android.widget.TextView
import dev.mobisdk.app.R
import dev.mobisdk.app.core.Bench
import dev.mobisdk.app.core.Phone
import dev.mobisdk.app.core.PhoneWarning
import dev.mobisdk.app.core.UiState
import dev.mobisdk.app.core.formatMs
import dev.mobisdk.app.core.formatPercent
import dev.mobisdk.runtime.Mode
import dev.mobisdk.runtime.ThermalState

private const val BAR_PARTS = 1000

/** What a person can do with the benchmark. */
interface BenchmarkActions {
    fun toggle(name: String)

    fun chooseMode(mode: Mode)

    fun chooseThreads(threads: Int?)

    fun start()

    fun cancel()

    fun restart()
}

/** Bundles, mode and threads to choose; what is measured while it is. */
class BenchmarkScreen(
    view: ListView,
    private val actions: BenchmarkActions,
) {
    private val context: Context = view.context
    private val header = LayoutInflater.from(context).inflate(R.layout.header_benchmark, view, false)
    private val adapter = RowAdapter(LayoutInflater.from(context), onToggle = actions::toggle)
    private val modes = header.find<RadioGroup>(R.id.bench_mode)
    private val start = header.find<Button>(R.id.bench_start)
    private val threads = Choices(header.find(R.id.bench_threads)) { actions.chooseThreads(counts[it]) }
    private val onMode = RadioGroup.OnCheckedChangeListener { _, id -> MODE_OF_ID[id]?.let(actions::chooseMode) }
    private var isRunning = false

    /** Null is the runtime's own; then 1, 2, 4 and so on, and all of them. */
    private val counts: List<Int?> = countsOf(Runtime.getRuntime().availableProcessors())

    init {
        view.addHeaderView(header, null, false)
        view.adapter = adapter
        modes.setOnCheckedChangeListener(onMode)
        start.setOnClickListener { if (isRunning) actions.cancel() else actions.start() }
        header.find<View>(R.id.bench_restart).setOnClickListener { actions.restart() }
    }

    fun render(state: UiState.Ready) {
        val bench = state.bench
        val running = bench as? Bench.Running
        isRunning = running != null
        modes.showChecked(MODE_OF_ID.entries.first { it.value == state.choice.mode }.key, onMode)
        for (id in MODE_OF_ID.keys) header.find<View>(id).isEnabled = !isRunning
        val texts = counts.map { it?.toString() ?: context.getString(R.string.threads_auto) }
        threads.show(texts, counts.indexOf(state.choice.threads).coerceAtLeast(0), !isRunning)
        start.setText(if (isRunning) R.string.cancel else R.string.start)
        start.isEnabled = if (running != null) !running.isCancelling else state.chosenBundles.isNotEmpty()
        header.find<TextView>(R.id.bench_status).showText(describe(state))
        header.find<View>(R.id.bench_restart).show(bench is Bench.Failed && bench.needsRestart)
        renderLive(running)
        renderPhone(state.phone)
        adapter.show(
            state.bundles.map {
                Row.Item(it.name, it.name, detail = it.recipe, isChecked = it.name in state.choice.bundles, isEnabled = !isRunning)
            },
        )
    }

    private fun describe(state: UiState.Ready): String =
        when (val bench = state.bench) {
            Bench.Idle -> {
                context.getString(if (state.chosenBundles.isEmpty()) R.string.bench_idle_none else R.string.bench_idle)
            }

            is Bench.Running -> {
                listOfNotNull(bench.plan?.let { context.getString(R.string.plan_running, it) }, describe(bench)).joinToString("\n")
            }

            is Bench.Finished -> {
                countRuns(bench.runs)
            }

            is Bench.Cancelled -> {
                context.getString(R.string.bench_cancelled) + "\n" + countRuns(bench.runs)
            }

            is Bench.Failed -> {
                context.getString(R.string.bench_failed, bench.reason) +
                    if (bench.runs > 0) "\n" + countRuns(bench.runs) else ""
            }
        }

    private fun describe(running: Bench.Running): String =
        when {
            running.isCancelling -> context.getString(R.string.bench_cancelling)
            running.isPaused -> context.getString(R.string.benchmark_paused)
            running.bundle.isEmpty() -> context.getString(R.string.bench_checking)
            else -> context.getString(R.string.bench_running, running.bundle)
        }

    private fun countRuns(runs: Int): String = context.resources.getQuantityString(R.plurals.runs_done, runs, runs)

    private fun renderLive(running: Bench.Running?) {
        header.find<View>(R.id.bench_live).show(running != null)
        if (running == null) return
        val latest = running.latestNs?.let { context.getString(R.string.milliseconds, formatMs(it, context.locale)) }
        header.find<TextView>(R.id.bench_latest).showText(latest.orEmpty())
        header.find<ProgressBar>(R.id.bench_progress).progress = (running.share * BAR_PARTS).toInt()
    }

    private fun renderPhone(phone: Phone) {
        val warnings = phone.warnings.joinToString("\n") { context.getString(TEXT_OF_WARNING.getValue(it)) }
        header.find<TextView>(R.id.bench_warnings).showText(warnings)
        val thermal = context.getString(phone.conditions?.thermalBefore?.let(TEXT_OF_STATE::getValue) ?: R.string.thermal_unknown)
        val battery = phone.conditions?.batteryLevel?.let { context.getString(R.string.percent, formatPercent(it, context.locale)) } ?: "–"
        header.find<TextView>(R.id.bench_phone).showText(context.getString(R.string.phone_state, thermal, battery))
    }

    private companion object {
        val MODE_OF_ID =
            linkedMapOf(
                R.id.mode_burst to Mode.BURST,
                R.id.mode_sustained to Mode.SUSTAINED,
                R.id.mode_cold to Mode.COLD,
            )
        val TEXT_OF_WARNING =
            mapOf(
                PhoneWarning.HOT to R.string.warning_hot,
                PhoneWarning.LOW_POWER to R.string.warning_low_power,
                PhoneWarning.CHARGING to R.string.warning_charging,
            )
        val TEXT_OF_STATE =
            mapOf(
                ThermalState.NOMINAL to R.string.thermal_nominal,
                ThermalState.FAIR to R.string.thermal_fair,
                ThermalState.SERIOUS to R.string.thermal_serious,
                ThermalState.CRITICAL to R.string.thermal_critical,
            )

        fun countsOf(cores: Int): List<Int?> {
            val doubled = generateSequence(1) { it * 2 }.takeWhile { it < cores }.toList()
            return listOf(null) + doubled + cores
        }
    }
}
