package dev.mobisdk.runtime

internal const val WARM_WINDOW = 5

/** A window whose median is below this share of the one before is still getting faster. */
internal const val STILL_FALLING = 0.98

/** A monotonic clock in nanoseconds; not a function type, whose results would be boxed. */
public fun interface NanoClock {
    /** Now. */
    public fun nanos(): Long
}

/** Decides after a sample whether it was the last one; not a function type, whose arguments would be boxed. */
internal fun interface EndOfSampling {
    fun isOver(
        samples: SampleBuffer,
        elapsedNs: Long,
    ): Boolean
}

/** What is asked after every sample; not function types, whose arguments would be boxed. */
internal interface SamplingControl {
    /** Whether the sample that just ended is spoilt, and sampling has to pause. */
    fun isInterrupted(): Boolean

    /** Whether it was the last one; [elapsedNs] is since the first sample's start. */
    fun isOver(
        samples: SampleBuffer,
        elapsedNs: Long,
    ): Boolean
}

/** Nanoseconds, one entry a sample, in arrays that are there before the first one; `atNs` counts from the first start. */
internal class SampleBuffer(
    val capacity: Int,
) {
    val preprocessNs = LongArray(capacity)
    val inferenceNs = LongArray(capacity)
    val postprocessNs = LongArray(capacity)
    val atNs = LongArray(capacity)
    var count = 0
    var startNs = 0L

    private val window = LongArray(WARM_WINDOW)

    /** Whether times stopped falling: the median of the last window against that of the window before. */
    fun isWarm(): Boolean {
        if (count < 2 * WARM_WINDOW) return false
        return medianOfWindow(count - WARM_WINDOW) >= STILL_FALLING * medianOfWindow(count - 2 * WARM_WINDOW)
    }

    private fun medianOfWindow(start: Int): Long {
        System.arraycopy(inferenceNs, start, window, 0, WARM_WINDOW)
        window.sort()
        return window[WARM_WINDOW / 2]
    }
}

/** The timed section: all that a sample needs, made before the first one, so that no sample allocates. */
internal class Sampler(
    private val classifier: Classifier,
    private val image: ArgbImage,
    bundle: ModelBundle,
    private val clock: NanoClock,
) {
    private val preprocessor = Preprocessor(bundle.manifest.input, image.width, image.height, image.orientation)
    private val pixels = ByteArray(preprocessor.outputBytes)
    private val logits = FloatArray(bundle.manifest.model.numClasses)
    private val best = TopK(minOf(5, logits.size))

    /**
     * Classifies the image back to back until [control] says so or the buffer is full; at least once.
     *
     * False where it was interrupted: that sample is dropped, and another call goes on.
     */
    fun fill(
        samples: SampleBuffer,
        control: SamplingControl,
    ): Boolean {
        while (true) {
            val begun = clock.nanos()
            preprocessor.process(image, pixels)
            classifier.prepare(pixels)
            val ready = clock.nanos()
            classifier.forward(logits)
            val ran = clock.nanos()
            best.select(logits)
            val done = clock.nanos()
            if (control.isInterrupted()) return false
            val index = samples.count
            if (index == 0) samples.startNs = begun
            samples.preprocessNs[index] = ready - begun
            samples.inferenceNs[index] = ran - ready
            samples.postprocessNs[index] = done - ran
            samples.atNs[index] = begun - samples.startNs
            samples.count = index + 1
            if (control.isOver(samples, done - samples.startNs) || samples.count == samples.capacity) return true
        }
    }
}
