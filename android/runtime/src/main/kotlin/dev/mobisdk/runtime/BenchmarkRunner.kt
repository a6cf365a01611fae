package dev.mobisdk.runtime

import java.io.File
import java.time.Clock
import java.util.UUID
import java.util.concurrent.CancellationException

internal const val SECOND_NS = 1_000_000_000L
private const val LARGEST_WARMUP = 200
private const val LONGEST_WARMUP_NS = 10 * SECOND_NS

/**
 * What the benchmark is at, told at most once a second and never inside a sample.
 *
 * @property runsDone runs that are done, parts of one included.
 * @property runsTotal of all bundles.
 * @property bundleName the bundle that is being measured.
 * @property latestInferenceNs time of the last inference.
 */
public data class BenchProgress(
    val runsDone: Double,
    val runsTotal: Int,
    val bundleName: String,
    val latestInferenceNs: Long,
)

/**
 * The benchmark: golden checked first, bundles interleaved, every sample kept. Measures over any [Classifier].
 *
 * [run] keeps its thread until all is measured; [cancel] comes from another one.
 *
 * @param config how much is measured.
 * @param facts what the phone tells of itself.
 * @param openClassifier opens what is measured; [BenchConfig.threads] is its business.
 * @param loadImage decodes the golden photograph.
 * @param coldStarter null where no process can be started.
 * @param clock monotonic, in nanoseconds.
 */
public class BenchmarkRunner internal constructor(
    private val config: BenchConfig,
    private val facts: DeviceFacts,
    private val openClassifier: (ModelBundle) -> Classifier,
    private val loadImage: (File) -> ArgbImage,
    private val coldStarter: ColdStarter?,
    private val clock: NanoClock,
    private val wallClock: Clock,
    private val process: ProcessRecord,
) {
    public constructor(
        config: BenchConfig,
        facts: DeviceFacts,
        openClassifier: (ModelBundle) -> Classifier,
        loadImage: (File) -> ArgbImage,
        coldStarter: ColdStarter? = null,
        clock: NanoClock = NanoClock { System.nanoTime() },
    ) : this(config, facts, openClassifier, loadImage, coldStarter, clock, Clock.systemDefaultZone(), ProcessRecord.CURRENT)

    private val lock = Any()
    private var waiting: Thread? = null

    @Volatile
    private var isCancelled = false

    /**
     * Checks every golden image, then delivers each run when it is whole: cold starts first, then round after round.
     *
     * The next run begins when [deliver] returns, so that a run is on disk before anything else happens. An artefact is
     * loaded anew for each run: every run stands for itself, and one network at a time is in memory. While the app is not
     * in the foreground a run is paused; it is marked then (`conditions.foreground` is false), and no analysis counts it.
     *
     * @throws ParityError an artefact is wrong about its golden image.
     * @throws BundleError an artefact is damaged or does not load.
     * @throws UnsupportedError cold starts are asked for and there is no [ColdStarter], or this process has another thread count.
     * @throws DeviceError a cold start failed.
     * @throws CancellationException [cancel] was called: the run under way is dropped, whole ones were delivered already.
     */
    public fun run(
        bundles: List<ModelBundle>,
        onProgress: (BenchProgress) -> Unit = {},
        deliver: (LatencyRun) -> Unit,
    ) {
        if (config.coldStarts > 0 && coldStarter == null) {
            throw UnsupportedError(
                "a cold start needs a process of its own, and this one cannot start any",
                hint = "Quit the app, and start it with a plan of mode cold",
            )
        }
        val session = UUID.randomUUID().toString()
        for (bundle in bundles) {
            stopIfCancelled()
            bundle.verifyFiles()
            open(bundle).classifier.close()
        }
        val total = bundles.size * (config.coldStarts + config.runs)
        var index = 0
        for (bundle in interleave(bundles, config.coldStarts)) {
            stopIfCancelled()
            deliver(startCold(bundle).copy(sessionId = session, runIndex = index.toLong()))
            index++
        }
        for (bundle in interleave(bundles, config.runs)) {
            awaitForeground()
            val run =
                measure(bundle, isAlone = bundles.size == 1) { share, latestNs ->
                    onProgress(BenchProgress(index + share, total, bundle.name, latestNs))
                }
            deliver(run.copy(sessionId = session, runIndex = index.toLong()))
            index++
        }
    }

    /**
     * Loads and runs once: a cold start.
     *
     * @throws UnsupportedError this process has loaded a network before: its caches are warm.
     * @throws BundleError the artefact is damaged or does not load.
     * @throws ParityError the artefact is wrong about its golden image.
     */
    public fun runCold(bundle: ModelBundle): LatencyRun {
        if (process.hasLoaded) {
            throw UnsupportedError(
                "this process has loaded a network before, so no start in it is cold",
                hint = "Quit the app and start it anew",
            )
        }
        bundle.verifyFiles()
        val opened = open(bundle)
        return opened.classifier.use {
            opened.describe(Mode.COLD, facts, wasInterrupted = false, peakBytes = facts.readPeakMemoryBytes())
        }
    }

    /** Ends [run] after the sample under way; safe to call from any thread, and twice. */
    public fun cancel() {
        synchronized(lock) {
            isCancelled = true
            waiting?.interrupt()
        }
    }

    private fun startCold(bundle: ModelBundle): LatencyRun {
        val run = coldStarter!!.startCold(bundle, config.threads)
        val isOurs = run.processId == facts.processId
        if (isOurs || run.mode != Mode.COLD || run.bundle.bundleId != bundle.manifest.bundleId) {
            val got = if (isOurs) "a run of this process" else "${run.mode} of ${run.bundle.bundleId}"
            throw DeviceError("what came back is no cold start of ${bundle.name} in a process of its own", got = got)
        }
        return run
    }

    private fun open(bundle: ModelBundle): OpenedBundle {
        val startedAt = timestampOf(wallClock)
        val conditions = facts.readConditions()
        val chargeUah = facts.readChargeUah()
        val golden = bundle.readGoldenInput()
        val logits = FloatArray(bundle.manifest.model.numClasses) { Float.NaN }
        process.noteLoad(config.threads)
        val classifier = openClassifier(bundle)
        try {
            val begun = clock.nanos()
            classifier.load()
            val loaded = clock.nanos()
            classifier.prepare(golden)
            val ready = clock.nanos()
            classifier.forward(logits)
            val ran = clock.nanos()
            val check = requireGolden(bundle, logits)
            return OpenedBundle(bundle, classifier, startedAt, conditions, chargeUah, loaded - begun, ran - ready, check)
        } catch (exc: Throwable) {
            classifier.close()
            throw exc
        }
    }

    private fun measure(
        bundle: ModelBundle,
        isAlone: Boolean,
        tell: (share: Double, latestNs: Long) -> Unit,
    ): LatencyRun {
        val image = loadImage(bundle.goldenImageFile)
        val opened = open(bundle)
        opened.classifier.use { classifier ->
            val clocks = ClockComparison(clock, wallClock)
            val timing = time(Sampler(classifier, image, bundle, clock), tell)
            val clockStep = clocks.readStep()
            val mode = config.mode
            val run = opened.describe(mode, facts, timing.wasInterrupted, if (isAlone) facts.readPeakMemoryBytes() else null)
            val samples = timing.samples
            return run.copy(
                sourceImage = image.uprightSize,
                warmupNs = timing.warmup.inferenceNs.copyOf(timing.warmup.count),
                preprocessNs = samples.preprocessNs.copyOf(samples.count),
                inferenceNs = samples.inferenceNs.copyOf(samples.count),
                postprocessNs = samples.postprocessNs.copyOf(samples.count),
                sampleAtNs = samples.atNs.copyOf(samples.count),
                thermal = timing.thermal.toList(),
                notes =
                    listOfNotNull(
                        run.notes,
                        timing.describeWarmup(),
                        timing.describeEnd(mode),
                        clockStep,
                    ).joinToString("; ").ifEmpty { null },
            )
        }
    }

    private fun time(
        sampler: Sampler,
        tell: (share: Double, latestNs: Long) -> Unit,
    ): Timing {
        val isSustained = config.mode == Mode.SUSTAINED
        val timing = Timing(if (isSustained) LARGEST_SAMPLES else config.samples)
        System.gc() // what lies about from loading is not collected inside a sample
        timing.fill(sampler, timing.warmup) { samples, elapsedNs -> samples.isWarm() || elapsedNs >= LONGEST_WARMUP_NS }
        val mostNs = (config.seconds * SECOND_NS).toLong()
        var toldNs = -SECOND_NS
        timing.fill(sampler, timing.samples) { samples, elapsedNs ->
            timing.thermal.note(facts.thermalState(), elapsedNs)
            if (elapsedNs - toldNs >= SECOND_NS) {
                toldNs = elapsedNs
                val share = if (isSustained) elapsedNs / mostNs.toDouble() else samples.count / config.samples.toDouble()
                tell(minOf(share, 1.0), samples.inferenceNs[samples.count - 1])
            }
            isSustained && elapsedNs >= mostNs
        }
        return timing
    }

    /** What the clock and the thermometer said of one run. */
    private inner class Timing(
        mostSamples: Int,
    ) {
        val warmup = SampleBuffer(LARGEST_WARMUP)
        val samples = SampleBuffer(mostSamples)
        val thermal = ThermalTrace()
        var wasInterrupted = false
            private set

        /** Goes on after every time that the app left the foreground and came back. */
        fun fill(
            sampler: Sampler,
            buffer: SampleBuffer,
            isOver: EndOfSampling,
        ) {
            val control =
                object : SamplingControl {
                    override fun isInterrupted(): Boolean {
                        stopIfCancelled()
                        return !facts.isForeground()
                    }

                    override fun isOver(
                        samples: SampleBuffer,
                        elapsedNs: Long,
                    ) = isOver.isOver(samples, elapsedNs)
                }
            while (!sampler.fill(buffer, control)) {
                wasInterrupted = true
                awaitForeground()
            }
        }

        fun describeWarmup(): String? = if (warmup.isWarm()) null else "not warm yet after ${warmup.count} inferences"

        fun describeEnd(mode: Mode): String? {
            if (mode != Mode.SUSTAINED || samples.count < LARGEST_SAMPLES) return null
            return "ended after $LARGEST_SAMPLES samples, the most that a line holds"
        }
    }

    private fun awaitForeground() {
        synchronized(lock) {
            stopIfCancelled()
            waiting = Thread.currentThread()
        }
        try {
            facts.awaitForeground()
        } catch (_: InterruptedException) {
            throw CancellationException("the benchmark was cancelled")
        } finally {
            synchronized(lock) {
                waiting = null
                if (isCancelled) Thread.interrupted() // it was for the waiting alone
            }
        }
        stopIfCancelled()
    }

    private fun stopIfCancelled() {
        if (isCancelled) throw CancellationException("the benchmark was cancelled")
    }
}
