package dev.mobisdk.runtime

import java.util.UUID

/** An artefact that is ready to run and has run once, correctly. */
internal class OpenedBundle(
    private val bundle: ModelBundle,
    val classifier: Classifier,
    private val startedAt: String,
    private val conditions: Conditions,
    private val chargeUah: Long?,
    private val loadNs: Long,
    private val firstInferenceNs: Long,
    private val golden: GoldenCheck,
) {
    /** A run without samples: what is known once the last one was taken. */
    fun describe(
        mode: Mode,
        facts: DeviceFacts,
        wasInterrupted: Boolean,
        peakBytes: Long?,
    ): LatencyRun {
        val foreground = conditions.foreground?.let { it && !wasInterrupted && facts.isForeground() }
        val chargeNow = facts.readChargeUah()
        return LatencyRun(
            runId = UUID.randomUUID().toString(),
            sessionId = UUID.randomUUID().toString(),
            processId = facts.processId,
            runIndex = 0,
            startedAt = startedAt,
            mode = mode,
            app = facts.app,
            device = facts.device,
            bundle = BundleRef.of(bundle.manifest),
            runtime = classifier.runtime,
            placement = classifier.readPlacement(),
            conditions = conditions.copy(thermalAfter = facts.thermalState(), foreground = foreground),
            cacheState = CacheState.WARM, // this process read the artefact's every byte before it was loaded for this run
            compileNs = null, // nothing is compiled on an Android phone: the artefact was, when it was exported
            loadNs = loadNs,
            firstInferenceNs = firstInferenceNs,
            sourceImage = null,
            warmupNs = LongArray(0),
            preprocessNs = LongArray(0),
            inferenceNs = LongArray(0),
            postprocessNs = LongArray(0),
            sampleAtNs = LongArray(0),
            thermal = emptyList(),
            memory = Memory(peakBytes),
            energy = Energy(if (chargeUah != null && chargeNow != null) chargeUah - chargeNow else null),
            golden = golden,
            notes = if (foreground == false) "the app left the foreground during this run" else null,
        )
    }
}
