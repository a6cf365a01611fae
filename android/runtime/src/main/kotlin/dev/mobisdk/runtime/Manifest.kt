package dev.mobisdk.runtime

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonObject
import java.math.BigDecimal
import java.math.MathContext
import java.util.Locale

private const val NAME_DIGITS = 8
private val SIX_DIGITS = MathContext(6)
private val FIXED_EXPONENTS = -4..5

/**
 * What a bundle says of itself (contract 1, `mobisdk.bundle/1`): the part of manifest.json that a phone needs.
 *
 * Everything in the file was checked, and keys that are unknown here are tolerated.
 *
 * @property bundleId SHA-256 that tells this bundle from every other.
 * @property variantId SHA-256 of what latency depends on: shape, recipe and toolchain, without weights.
 * @property model the network.
 * @property target where it runs.
 * @property input what it takes.
 * @property output what it gives.
 * @property delegation what the backend takes of it.
 * @property golden the check that a phone makes before it measures.
 * @property files every file but manifest.json, by its path in the bundle.
 */
@Serializable
public data class Manifest(
    @SerialName("bundle_id") val bundleId: String,
    @SerialName("variant_id") val variantId: String,
    val model: ModelFacts,
    val target: Target,
    val input: ModelInput,
    val output: ModelOutput,
    val delegation: Delegation,
    val golden: Golden,
    val files: Map<String, FileEntry>,
) {
    /** `<arch>-a<alpha>-r<resolution>-<recipe>-<first 8 of bundle_id>`: the folder's name. */
    val name: String
        get() =
            listOfNotNull(
                model.arch ?: "module",
                model.alpha?.let { "a" + shortest(it) },
                "r" + input.shape[2],
                target.recipe,
                bundleId.take(NAME_DIGITS),
            ).joinToString("-")

    /** Bytes of the model alone: what the network adds to an app. */
    val modelSizeBytes: Long get() = files.entries.sumOf { if (it.key.startsWith("model.")) it.value.sizeBytes else 0L }

    /** Bytes of all files but manifest.json. */
    val sizeBytes: Long get() = files.values.sumOf { it.sizeBytes }

    /** Share of the multiply-adds that the backend takes, 0 to 1. */
    val delegatedShare: Double get() = if (model.macs > 0) delegation.macsDelegated.toDouble() / model.macs else 1.0
}

/** Six significant digits and no trailing zero, as Python's `:g`. */
private fun shortest(number: Double): String {
    val rounded = BigDecimal(number).round(SIX_DIGITS).stripTrailingZeros()
    val exponent = rounded.precision() - rounded.scale() - 1
    if (exponent in FIXED_EXPONENTS) return rounded.toPlainString()
    val digits = rounded.unscaledValue().toString()
    val mantissa = if (digits.length == 1) digits else digits[0] + "." + digits.substring(1)
    return "%se%s%02d".format(Locale.ROOT, mantissa, if (exponent < 0) "-" else "+", Math.abs(exponent))
}

/**
 * The network.
 *
 * @property spec the ModelSpec, verbatim; null for a network of others.
 * @property arch the architecture; null for a network of others.
 * @property alpha the width multiplier.
 * @property resolution input height and width in pixels.
 * @property numClasses the number of logits.
 * @property params the number of parameters.
 * @property macs multiply-adds of one inference.
 * @property weights where the weights are from.
 */
@Serializable
public data class ModelFacts(
    val spec: JsonObject?,
    val arch: String?,
    val alpha: Double?,
    val resolution: Int?,
    @SerialName("num_classes") val numClasses: Int,
    val params: Long,
    val macs: Long,
    val weights: Weights,
)

/**
 * Where the weights are from.
 *
 * @property source trained by nobody, by this project, or by others.
 */
@Serializable
public data class Weights(
    val source: WeightsSource,
)

/** Who trained the weights. */
@Serializable
public enum class WeightsSource {
    /** Nobody: the network was exported to be measured. */
    @SerialName("random")
    RANDOM,

    /** A checkpoint of the SDK. */
    @SerialName("checkpoint")
    CHECKPOINT,

    /** Others. */
    @SerialName("hub")
    HUB,
}

/**
 * Where the bundle runs, and how the network was lowered for it.
 *
 * @property platform "android" or "ios".
 * @property runtime "executorch", "coreml", or one that is younger than this library.
 * @property recipe how the network was lowered, such as "xnnpack_fp32".
 * @property backend what the recipe hands the graph to.
 * @property minOs the smallest Android API level, or iOS version.
 * @property computeUnits the units that Core ML is asked for; null elsewhere.
 * @property minRuntime the smallest version of the runtime that loads the artefact; null where any does.
 */
@Serializable
public data class Target(
    val platform: String,
    val runtime: String,
    val recipe: String,
    val backend: String,
    @SerialName("min_os") val minOs: String,
    @SerialName("compute_units") val computeUnits: String?,
    @SerialName("min_runtime") val minRuntime: String? = null,
)

/**
 * What the artefact takes.
 *
 * @property name the input's name in the artefact.
 * @property kind "tensor" or "image".
 * @property shape (1, 3, H, W).
 * @property dtype "float32", numbers in 0 to 1, or "uint8".
 * @property preprocess how a photograph becomes it.
 */
@Serializable
public data class ModelInput(
    val name: String,
    val kind: String,
    val shape: List<Int>,
    val dtype: String,
    val preprocess: Preprocess,
)

/**
 * How a photograph becomes the network's input; normalization is inside the artefact.
 *
 * @property resize the shorter side after resizing, in pixels.
 * @property crop the square that is cut out of the centre, in pixels.
 */
@Serializable
public data class Preprocess(
    val resize: Int,
    val crop: Int,
)

/**
 * What the artefact gives.
 *
 * @property name the output's name in the artefact.
 * @property shape (1, classes).
 * @property dtype "float32" or "float16".
 * @property activation "logits" or "softmax".
 */
@Serializable
public data class ModelOutput(
    val name: String,
    val shape: List<Int>,
    val dtype: String,
    val activation: String,
)

/**
 * What the backend takes of the network.
 *
 * @property macsDelegated multiply-adds that the backend takes; the runtime's own kernels do the rest.
 */
@Serializable
public data class Delegation(
    @SerialName("macs_delegated") val macsDelegated: Long,
)

/**
 * The check that a phone makes before it measures.
 *
 * @property tolerance the largest error of a logit of the golden image that is allowed.
 */
@Serializable
public data class Golden(
    val tolerance: Double,
)

/**
 * A file of the bundle.
 *
 * @property sha256 64 hexadecimal digits.
 * @property sizeBytes its length.
 */
@Serializable
public data class FileEntry(
    val sha256: String,
    @SerialName("size_bytes") val sizeBytes: Long,
)
