package dev.mobisdk.app

import dev.mobisdk.app.core.NoticeKind
import dev.mobisdk.app.core.PlanStatus
import dev.mobisdk.app.core.ResultRow
import dev.mobisdk.app.core.UiEvent
import dev.mobisdk.app.core.isPlanName
import dev.mobisdk.executorch.ExecuTorchClassifier
import dev.mobisdk.executorch.decodePhoto
import dev.mobisdk.runtime.BenchPlan
import dev.mobisdk.runtime.BenchProgress
import dev.mobisdk.runtime.BenchmarkRunner
import dev.mobisdk.runtime.ConfigError
import dev.mobisdk.runtime.LatencyRun
import dev.mobisdk.runtime.MobiError
import dev.mobisdk.runtime.Mode
import dev.mobisdk.runtime.ModelBundle
import dev.mobisdk.runtime.UnsupportedError
import java.io.IOException
import java.util.UUID
import java.util.concurrent.CancellationException
import kotlin.concurrent.thread

/** The benchmark, on a thread of its own: one at a time, each run in the log before the next begins. */
class BenchWork(
    private val app: MobiApplication,
    private val work: AppWork,
) {
    private val plans = PlanFiles(app.storage)

    @Volatile
    private var job: Job? = null

    /** Measures what the person chose. */
    fun start(plan: BenchPlan) {
        try {
            start(plan, name = null)
        } catch (error: MobiError) {
            work.tell(NoticeKind.PLAN_REFUSED, error.message.orEmpty())
        }
    }

    /** Measures a plan of the app's own storage, which ends with a result file. */
    fun startPlan(name: String) =
        work.onDisk {
            try {
                start(plans.read(name), name)
            } catch (error: MobiError) {
                val isItsOwn = isPlanName(name) && job?.name != name // the result of one that runs is still to come
                if (isItsOwn) plans.write(name, PlanStatus.FAILED, 0, error.message)
                work.tell(NoticeKind.PLAN_REFUSED, error.message.orEmpty())
            }
        }

    @Synchronized
    private fun start(
        plan: BenchPlan,
        name: String?,
    ) {
        if (job != null) throw ConfigError("a benchmark is running already", hint = "Wait for its end, or cancel it")
        if (name != null) plans.removeResult(name)
        val started = Job(plan, name)
        job = started
        work.dispatch(UiEvent.BenchStarted(name))
        thread(name = "benchmark") { run(started) }
    }

    /** Ends after the sample or the start under way; whole runs are in the log. */
    fun cancel() {
        work.dispatch(UiEvent.BenchCancelling)
        job?.cancel()
    }

    /** Says so where the last process was ended in the middle of a benchmark. */
    fun tellInterrupted() {
        val name = plans.readInterrupted() ?: return
        work.tell(NoticeKind.BENCH_INTERRUPTED)
        if (name.isNotEmpty()) plans.write(name, PlanStatus.FAILED, 0, "the app was ended while it measured; whole runs are in the log")
        plans.markEnd()
    }

    private fun run(job: Job) {
        val end =
            try {
                plans.markStart(job.name)
                job.measure()
                UiEvent.BenchFinished
            } catch (_: CancellationException) {
                UiEvent.BenchCancelled
            } catch (error: MobiError) {
                UiEvent.BenchFailed(error.message.orEmpty(), needsRestart(error))
            } catch (exc: IOException) {
                UiEvent.BenchFailed(exc.message ?: exc.javaClass.simpleName)
            } catch (_: OutOfMemoryError) {
                UiEvent.BenchFailed("there is not enough memory for this network. Close other apps, or measure a smaller one")
            }
        if (job.name != null) plans.write(job.name, statusOf(end), job.runs, (end as? UiEvent.BenchFailed)?.reason)
        plans.markEnd()
        this.job = null
        work.dispatch(end)
    }

    private fun statusOf(end: UiEvent) =
        when (end) {
            UiEvent.BenchFinished -> PlanStatus.FINISHED
            UiEvent.BenchCancelled -> PlanStatus.CANCELLED
            else -> PlanStatus.FAILED
        }

    /** One thread count a process, which both the runner and the classifier hold. */
    private fun needsRestart(error: MobiError) = "thread count" in error.what

    private inner class Job(
        private val plan: BenchPlan,
        val name: String?,
    ) {
        private val facts = app.facts
        private val session = UUID.randomUUID().toString()
        private val runner =
            BenchmarkRunner(
                config = plan.config.copy(coldStarts = 0), // they are a mode of their own here
                facts = facts,
                openClassifier = { ExecuTorchClassifier(it, plan.config.threads) },
                loadImage = { file -> decodePhoto { file.inputStream() } },
            )

        @Volatile
        private var isCancelled = false

        var runs = 0
            private set

        fun cancel() {
            isCancelled = true
            runner.cancel()
        }

        fun measure() {
            if (plan.computeUnits != null) {
                throw UnsupportedError(
                    "compute_units are Core ML's",
                    got = plan.computeUnits,
                    hint = "Leave them out of a plan for Android",
                )
            }
            val names =
                plan.bundles.ifEmpty {
                    work.store
                        .list()
                        .bundles
                        .map { it.name }
                }
            if (names.isEmpty()) throw ConfigError("there is no bundle on this phone", hint = "Add one, or copy one into the app's inbox")
            val bundles = names.map(work::open)
            if (plan.mode == Mode.COLD) startCold(bundles) else runner.run(bundles, ::tell, ::deliver)
        }

        private fun tell(progress: BenchProgress) =
            work.dispatch(UiEvent.BenchMoved(progress.bundleName, progress.runsDone / progress.runsTotal, progress.latestInferenceNs))

        private fun deliver(run: LatencyRun) {
            work.log.append(run)
            runs++
            work.dispatch(UiEvent.RunLogged(ResultRow.of(run)))
        }

        /** Every bundle once a round, each round beginning with the next one, as the runner does it. */
        private fun startCold(bundles: List<ModelBundle>) {
            val starter = ColdStartClient(app, facts::isForeground)
            val total = bundles.size * plan.config.runs
            for (round in 0 until plan.config.runs) {
                for (place in bundles.indices) {
                    if (isCancelled) throw CancellationException()
                    facts.awaitForeground()
                    val bundle = bundles[(round + place) % bundles.size]
                    work.dispatch(UiEvent.BenchMoved(bundle.name, runs.toDouble() / total, null))
                    deliver(starter.startCold(bundle, plan.config.threads).copy(sessionId = session, runIndex = runs.toLong()))
                }
            }
        }
    }
}
