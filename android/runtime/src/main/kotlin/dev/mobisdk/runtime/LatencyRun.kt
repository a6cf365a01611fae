package dev.mobisdk.runtime

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonObject

/**
 * One run of one bundle (contract 2, `mobisdk.latency/1`): raw samples, nothing averaged. Null is what the system does
 * not tell, never a guess.
 *
 * @property runId a UUID.
 * @property sessionId a UUID, the same for runs that were measured together.
 * @property processId a UUID that is drawn when the process starts.
 * @property runIndex from 0, in the order of the session.
 * @property startedAt RFC 3339 with offset; in production the hour alone.
 * @property mode what kind of run it is.
 * @property app the program that measured.
 * @property device where it ran.
 * @property bundle what ran.
 * @property runtime what ran it.
 * @property placement which share of the network ran on which unit.
 * @property conditions the phone's state.
 * @property cacheState whether the artefact had been loaded or read before.
 * @property compileNs time that compiling took; null where nothing was compiled.
 * @property loadNs until the method is ready, not only the file.
 * @property firstInferenceNs the first inference after loading.
 * @property sourceImage the photograph that preprocessing started from.
 * @property warmupNs inferences that warmed up, in nanoseconds.
 * @property preprocessNs one a sample, or none.
 * @property inferenceNs one a sample.
 * @property postprocessNs one a sample, or none.
 * @property sampleAtNs one a sample, since the first sample's start.
 * @property thermal the thermal state where it changed.
 * @property memory peak memory of the process.
 * @property energy charge taken from the battery.
 * @property golden the check before timing.
 * @property notes words for a person; null in production.
 * @property perOp operators' times, where they were taken.
 */
@Serializable
public data class LatencyRun(
    @SerialName("run_id") val runId: String,
    @SerialName("session_id") val sessionId: String,
    @SerialName("process_id") val processId: String,
    @SerialName("run_index") val runIndex: Long,
    @SerialName("started_at") val startedAt: String,
    val mode: Mode,
    val app: App,
    val device: Device,
    val bundle: BundleRef,
    val runtime: RuntimeInfo,
    val placement: Placement,
    val conditions: Conditions,
    @SerialName("cache_state") val cacheState: CacheState,
    @SerialName("compile_ns") val compileNs: Long?,
    @SerialName("load_ns") val loadNs: Long?,
    @SerialName("first_inference_ns") val firstInferenceNs: Long?,
    @SerialName("source_image") val sourceImage: SourceImage?,
    @SerialName("warmup_ns") val warmupNs: LongArray,
    @SerialName("preprocess_ns") val preprocessNs: LongArray,
    @SerialName("inference_ns") val inferenceNs: LongArray,
    @SerialName("postprocess_ns") val postprocessNs: LongArray,
    @SerialName("sample_at_ns") val sampleAtNs: LongArray,
    val thermal: List<ThermalSample>,
    val memory: Memory,
    val energy: Energy,
    val golden: GoldenCheck?,
    val notes: String?,
    @SerialName("per_op") val perOp: List<OpTime> = emptyList(),
) {
    /** Runs are told apart by [runId]; two values with one id are compared by identity alone. */
    override fun equals(other: Any?): Boolean = this === other

    override fun hashCode(): Int = runId.hashCode()
}

/** What kind of run it is. */
@Serializable
public enum class Mode {
    /** The first load in a fresh process. */
    @SerialName("cold")
    COLD,

    /** A number of samples after warming up. */
    @SerialName("burst")
    BURST,

    /** Samples for a length of time, so that throttling shows. */
    @SerialName("sustained")
    SUSTAINED,

    /** Sampled in an app that people use. */
    @SerialName("production")
    PRODUCTION,
}

/** Whether the artefact had been loaded or read before. */
@Serializable
public enum class CacheState {
    /** Never by this phone. */
    @SerialName("cold")
    COLD,

    /** It lies in the system's caches. */
    @SerialName("warm")
    WARM,

    /** Nobody knows. */
    @SerialName("unknown")
    UNKNOWN,
}

/**
 * The program that measured.
 *
 * @property name its name.
 * @property version its version.
 * @property build its build number.
 */
@Serializable
public data class App(
    val name: String,
    val version: String,
    val build: String?,
)

/**
 * Where it ran.
 *
 * @property platform "android", or the system of a computer: "linux", "macos", "windows".
 * @property manufacturer who made it.
 * @property model its model.
 * @property soc its system on a chip.
 * @property osVersion the system's version.
 * @property apiLevel Android's API level.
 * @property cpuCores logical processors.
 * @property memoryBytes its memory.
 * @property isEmulator whether it is none.
 */
@Serializable
public data class Device(
    val platform: String,
    val manufacturer: String?,
    val model: String,
    val soc: String?,
    @SerialName("os_version") val osVersion: String,
    @SerialName("api_level") val apiLevel: Int?,
    @SerialName("cpu_cores") val cpuCores: Int,
    @SerialName("memory_bytes") val memoryBytes: Long?,
    @SerialName("is_emulator") val isEmulator: Boolean,
)

/**
 * What ran, as the bundle's manifest names it.
 *
 * @property bundleId SHA-256 of the bundle.
 * @property variantId SHA-256 of what latency depends on.
 * @property spec the ModelSpec, verbatim; null for a network of others.
 * @property arch the architecture.
 * @property alpha the width multiplier.
 * @property resolution input height and width in pixels.
 * @property recipe how the network was lowered.
 * @property weightsSource where the weights are from.
 */
@Serializable
public data class BundleRef(
    @SerialName("bundle_id") val bundleId: String,
    @SerialName("variant_id") val variantId: String,
    val spec: JsonObject?,
    val arch: String?,
    val alpha: Double?,
    val resolution: Int?,
    val recipe: String,
    @SerialName("weights_source") val weightsSource: WeightsSource,
) {
    /** Names bundles. */
    public companion object {
        /** What a manifest tells a latency run. */
        public fun of(manifest: Manifest): BundleRef =
            BundleRef(
                bundleId = manifest.bundleId,
                variantId = manifest.variantId,
                spec = manifest.model.spec,
                arch = manifest.model.arch,
                alpha = manifest.model.alpha,
                resolution = manifest.model.resolution,
                recipe = manifest.target.recipe,
                weightsSource = manifest.model.weights.source,
            )
    }
}

/**
 * What ran it.
 *
 * @property name the runtime, such as "executorch".
 * @property version its version as it is on the phone.
 * @property backendRequested the backend that the recipe hands the graph to.
 * @property computeUnits the units that Core ML was asked for; null elsewhere.
 * @property threads the process's count; null where the runtime decides.
 */
@Serializable
public data class RuntimeInfo(
    val name: String,
    val version: String,
    @SerialName("backend_requested") val backendRequested: String?,
    @SerialName("compute_units") val computeUnits: String?,
    val threads: Int?,
)

/**
 * Which share of the network ran on which unit, and who says so.
 *
 * @property source who says so; [PlacementSource.NONE] has no share.
 * @property share 0 to 1 a unit.
 */
@Serializable
public data class Placement(
    val source: PlacementSource,
    val share: Map<String, Double>,
) {
    /** Tells placements. */
    public companion object {
        /**
         * Which share of the multiply-adds the artefact hands to its backend; the runtime's own kernels do the rest.
         * Both are fixed when the graph is lowered: an artefact whose backend is absent does not load.
         */
        public fun of(manifest: Manifest): Placement {
            val delegated = manifest.delegatedShare
            val share = mapOf(manifest.target.backend to delegated, "portable" to 1 - delegated)
            return Placement(PlacementSource.METHOD_METADATA, share)
        }
    }
}

/** Who says where the network ran. */
@Serializable
public enum class PlacementSource {
    /** A forecast of the system. */
    @SerialName("plan")
    PLAN,

    /** The artefact itself. */
    @SerialName("method_metadata")
    METHOD_METADATA,

    /** A profiler that watched. */
    @SerialName("profiler")
    PROFILER,

    /** Nobody. */
    @SerialName("none")
    NONE,
}

/**
 * The phone's state.
 *
 * @property batteryLevel 0 to 1.
 * @property charging whether it takes charge.
 * @property lowPowerMode whether the battery saver is on.
 * @property thermalBefore the thermal state before loading.
 * @property thermalAfter the thermal state after the last sample.
 * @property thermalRaw the system's own word for [thermalBefore].
 * @property batteryCelsius the battery's temperature.
 * @property foreground true only if the app was in the foreground from the first sample to the last.
 */
@Serializable
public data class Conditions(
    @SerialName("battery_level") val batteryLevel: Double?,
    val charging: Boolean?,
    @SerialName("low_power_mode") val lowPowerMode: Boolean?,
    @SerialName("thermal_before") val thermalBefore: ThermalState?,
    @SerialName("thermal_after") val thermalAfter: ThermalState?,
    @SerialName("thermal_raw") val thermalRaw: String?,
    @SerialName("battery_celsius") val batteryCelsius: Double?,
    val foreground: Boolean?,
)

/**
 * Size in pixels of the photograph that preprocessing started from.
 *
 * @property width columns.
 * @property height rows.
 */
@Serializable
public data class SourceImage(
    val width: Int,
    val height: Int,
)

/**
 * The thermal state at a time.
 *
 * @property atNs since the first sample's start.
 * @property state the state from then on.
 */
@Serializable
public data class ThermalSample(
    @SerialName("at_ns") val atNs: Long,
    val state: ThermalState,
)

/**
 * Memory of the process.
 *
 * @property peakBytes the peak; null where several bundles shared the process.
 */
@Serializable
public data class Memory(
    @SerialName("peak_bytes") val peakBytes: Long?,
)

/**
 * Charge taken from the battery.
 *
 * @property chargeUah microampere-hours, negative while charging; null where the phone is silent.
 */
@Serializable
public data class Energy(
    @SerialName("charge_uah") val chargeUah: Long?,
)

/**
 * Did the golden image give the manifest's logits, before timing?
 *
 * @property passed whether the largest error is within the manifest's tolerance.
 * @property maxAbsError the largest error of a logit; null if an output is no number.
 * @property top1Matches whether the likeliest class is the manifest's.
 */
@Serializable
public data class GoldenCheck(
    val passed: Boolean,
    @SerialName("max_abs_error") val maxAbsError: Double?,
    @SerialName("top1_matches") val top1Matches: Boolean,
)

/**
 * One operator's time.
 *
 * @property name the operator.
 * @property kind its kind.
 * @property ns nanoseconds.
 */
@Serializable
public data class OpTime(
    val name: String,
    val kind: String?,
    val ns: Long,
)
