package dev.mobisdk.executorch

import android.graphics.Bitmap
import dev.mobisdk.runtime.ArgbImage
import dev.mobisdk.runtime.BundleError
import dev.mobisdk.runtime.Classifier
import dev.mobisdk.runtime.ConfigError
import dev.mobisdk.runtime.DeviceError
import dev.mobisdk.runtime.ModelBundle
import dev.mobisdk.runtime.PhaseTimes
import dev.mobisdk.runtime.Placement
import dev.mobisdk.runtime.PlacementSource
import dev.mobisdk.runtime.Preprocessor
import dev.mobisdk.runtime.ProductionLog
import dev.mobisdk.runtime.RuntimeInfo
import dev.mobisdk.runtime.SourceImage
import dev.mobisdk.runtime.topK
import org.pytorch.executorch.EValue
import java.nio.FloatBuffer
import kotlin.math.ln

/**
 * A bundle's `.pte` under ExecuTorch.
 *
 * ```
 * val bundle = ModelBundle.open(folder)
 * val classifier = ExecuTorchClassifier(bundle)
 * val predictions = classifier.classify(bitmap).predictions
 * ```
 *
 * It is used by one thread at a time, and not by the main one.
 *
 * @param bundle what to run.
 * @param threads of the runtime, one count a process: whoever loads first decides; null takes that, or the runtime's own.
 * @param productionLog where a share of the times of [classify] go, if the app's developer wants that; null: nowhere.
 * @throws UnsupportedError the bundle is of another system or runtime, or needs a newer one.
 * @throws BundleError the artefact takes or gives what this class does not know.
 */
public class ExecuTorchClassifier internal constructor(
    private val bundle: ModelBundle,
    private val threads: Int?,
    private val productionLog: ProductionLog?,
    private val processThreads: ThreadCount,
    apiLevel: Int,
    private val loadProgram: LoadProgram,
) : Classifier {
    public constructor(
        bundle: ModelBundle,
        threads: Int? = null,
        productionLog: ProductionLog? = null,
    ) : this(bundle, threads, productionLog, ThreadCount.OF_PROCESS, android.os.Build.VERSION.SDK_INT, NativeProgram)

    private val manifest = bundle.manifest

    init {
        if (threads != null &&
            threads < 1
        ) {
            throw ConfigError("threads must be a number of threads", got = "$threads", allowed = "1 or more")
        }
        bundle.checkRequirements("executorch", EXECUTORCH_VERSION, apiLevel)
        if (manifest.output.dtype != "float32" && manifest.output.dtype != "float16") {
            throw BundleError("${bundle.name} gives numbers that ExecuTorchClassifier does not read", got = manifest.output.dtype)
        }
    }

    private val input = TensorInput.of(manifest.input)
    private val inputValue = EValue.from(input.tensor)
    private var program: Program? = null
    private var placement: Placement? = null
    private var target = FloatBuffer.allocate(0)

    override val runtime: RuntimeInfo
        get() =
            RuntimeInfo(
                name = "executorch",
                version = EXECUTORCH_VERSION,
                backendRequested = manifest.target.backend,
                computeUnits = manifest.target.computeUnits,
                threads = threads ?: processThreads.decided,
            )

    override fun load() {
        if (program != null) return
        val count = processThreads.decide(threads)
        program =
            try {
                loadProgram.load(bundle.modelFile, count)
            } catch (exc: ProgramFailure) {
                throw describe("load", exc)
            }
    }

    override fun prepare(pixels: ByteArray) {
        input.write(pixels)
    }

    override fun forward(logits: FloatArray) {
        val loaded = program ?: throw ConfigError("a network is run before it is loaded", hint = "Call load() first")
        val output =
            try {
                loaded.run(inputValue).toTensor()
            } catch (exc: ProgramFailure) {
                throw describe("run", exc)
            }
        if (output.numel() != logits.size.toLong()) {
            throw BundleError("${bundle.name} gives another number of logits", got = "${output.numel()}", allowed = "${logits.size}")
        }
        if (target.array() !== logits) target = FloatBuffer.wrap(logits)
        target.clear()
        output.copyDataInto(target)
    }

    /** Of the method's own list of backends; the shares are those that the graph was lowered with. */
    override fun readPlacement(): Placement {
        val backends = program?.backends ?: return placement ?: Placement(PlacementSource.NONE, emptyMap())
        return placementOf(backends).also { placement = it }
    }

    private fun placementOf(backends: List<String>): Placement {
        val isDelegated = backends.any { it.startsWith(manifest.target.backend, ignoreCase = true) }
        return when {
            isDelegated -> Placement.of(manifest)
            backends.isEmpty() -> Placement(PlacementSource.METHOD_METADATA, mapOf("portable" to 1.0))
            else -> Placement(PlacementSource.NONE, emptyMap())
        }
    }

    override fun close() {
        program?.let {
            placement = placementOf(it.backends)
            it.close()
        }
        program = null
    }

    /**
     * Classifies a photograph; loads the network at the first call.
     *
     * @param count of the likeliest classes.
     * @throws DataError the photograph is too large.
     */
    public fun classify(
        bitmap: Bitmap,
        count: Int = 5,
    ): Classification = classify(bitmap.toArgbImage(), count)

    /** As above, of pixels that are decoded already. */
    public fun classify(
        image: ArgbImage,
        count: Int = 5,
    ): Classification {
        load()
        val preparation = preparation?.takeIf { it.isFor(image) } ?: Preparation(image).also { preparation = it }
        val begun = System.nanoTime()
        preparation.preprocessor.process(image, preparation.pixels)
        prepare(preparation.pixels)
        val ready = System.nanoTime()
        forward(ownLogits)
        val ran = System.nanoTime()
        if (manifest.output.activation == "softmax") undoSoftmax(ownLogits)
        val best = topK(ownLogits, count)
        val times = PhaseTimes(ready - begun, ran - ready, System.nanoTime() - ran)
        if (productionLog?.draws() == true) productionLog.append(bundle, runtime, SourceImage(image.width, image.height), times)
        return Classification(best.map { LabelledPrediction(labels.getOrElse(it.index) { at -> "$at" }, it.index, it.probability) }, times)
    }

    private val labels by lazy { bundle.readLabels() }
    private val ownLogits by lazy { FloatArray(manifest.model.numClasses) }
    private var preparation: Preparation? = null

    /** Made for one size of photograph, and kept for the next one of that size. */
    private inner class Preparation(
        image: ArgbImage,
    ) {
        val preprocessor = Preprocessor(manifest.input, image.width, image.height, image.orientation)
        val pixels = ByteArray(preprocessor.outputBytes)
        private val size = listOf(image.width, image.height, image.orientation)

        fun isFor(other: ArgbImage) = size == listOf(other.width, other.height, other.orientation)
    }

    private fun describe(
        verb: String,
        failure: ProgramFailure,
    ): Exception {
        val what = "ExecuTorch $EXECUTORCH_VERSION cannot $verb ${bundle.name}: ${failure.message}"
        return if (failure.isProgramAtFault) {
            BundleError(what, hint = "Export the bundle again for this version", cause = failure)
        } else {
            val hint = "It needs the backend ${manifest.target.backend}, enough memory, and a 64-bit processor"
            DeviceError(what, hint = hint, cause = failure)
        }
    }
}

/** The logarithms of shares are logits of them: [topK]'s own softmax gives the shares back. */
internal fun undoSoftmax(shares: FloatArray) {
    for (index in shares.indices) shares[index] = ln(shares[index])
}

/**
 * What a network says of one photograph, and how long it took.
 *
 * @property predictions the likeliest classes, best first.
 * @property times of the three phases.
 */
public data class Classification(
    val predictions: List<LabelledPrediction>,
    val times: PhaseTimes,
)

/**
 * A class by its name, and how likely it is.
 *
 * @property label the bundle's word for the class.
 * @property index the class, from 0.
 * @property probability its softmax probability.
 */
public data class LabelledPrediction(
    val label: String,
    val index: Int,
    val probability: Double,
)

/** Of the library that the app is built with, which does not tell it itself. */
public const val EXECUTORCH_VERSION: String = "1.4.1"
