package dev.mobisdk.runtime

import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.decodeFromJsonElement
import kotlinx.serialization.json.encodeToJsonElement

internal const val LONGEST_LINE_BYTES = 16 * 1024 * 1024
private const val LATENCY_SCHEMA = "mobisdk.latency/1"
private const val MOST_NS = 1_000_000_000_000_000_000L
private val RUN_SCHEMA by lazy { JsonSchema.read("latency_run.schema.json") }
private val WRITER = Json { encodeDefaults = true }

/**
 * This run as one line of a log, without the line's end.
 *
 * @throws DataError the run breaks the contract; the text names the field.
 */
public fun LatencyRun.toJsonLine(): String {
    try {
        checkOwn()
        val document = WRITER.encodeToString(LatencyRun.serializer(), this)
        return "{\"schema\":\"$LATENCY_SCHEMA\"," + document.substring(1)
    } catch (exc: SerializationException) {
        throw DataError("a run holds what JSON cannot", allowed = "finite numbers", cause = exc)
    }
}

/**
 * Reads one line of a log; unknown keys are allowed, and not kept.
 *
 * @throws DataError the line is not JSON, or breaks the contract; the text names the field.
 */
public fun parseLatencyRun(line: ByteArray): LatencyRun {
    if (line.size > LONGEST_LINE_BYTES) {
        throw DataError("the line is too long", got = "${line.size}", allowed = "at most $LONGEST_LINE_BYTES bytes")
    }
    val document = readDocument(line)
    checkAgainstSchema(document)
    val run =
        try {
            CONTRACT_JSON.decodeFromJsonElement<LatencyRun>(wholeNumbers(document))
        } catch (exc: SerializationException) {
            throw DataError("the line holds a number that is too large", cause = exc)
        }
    run.checkTogether()
    return run
}

private fun readDocument(line: ByteArray): JsonObject {
    val document =
        try {
            StrictJson.parse(line)
        } catch (exc: MalformedJson) {
            throw DataError("the line is not JSON: ${exc.message}", cause = exc)
        } catch (exc: OddJsonValue) {
            throw DataError("${exc.path} is wrong", got = exc.value, allowed = "finite numbers, whole characters", cause = exc)
        }
    if (document !is JsonObject) throw DataError("the line is not a JSON object")
    if (document["schema"] != JsonPrimitive(LATENCY_SCHEMA)) {
        throw DataError("schema is wrong: the line is of another schema", allowed = LATENCY_SCHEMA)
    }
    return document
}

private fun checkAgainstSchema(document: JsonElement) {
    try {
        RUN_SCHEMA.check(document)
    } catch (exc: SchemaMismatch) {
        throw DataError("${exc.path} is wrong: ${exc.reason}", cause = exc)
    }
}

/** Its samples come by the hundred thousand: they are checked as numbers, and the rest as the document it becomes. */
private fun LatencyRun.checkOwn() {
    for ((name, values) in durations()) {
        val place = values.indexOfFirst { it !in 0..MOST_NS }
        if (place >= 0) throw DataError("$name[$place] is wrong: it is no duration", got = "${values[place]}")
    }
    checkTogether()
    val outline =
        copy(
            warmupNs = LongArray(0),
            preprocessNs = LongArray(0),
            inferenceNs = inferenceNs.copyOf(minOf(1, inferenceNs.size)),
            postprocessNs = LongArray(0),
            sampleAtNs = LongArray(0),
        )
    val document = WRITER.encodeToJsonElement(outline) as JsonObject
    checkAgainstSchema(JsonObject(document + ("schema" to JsonPrimitive(LATENCY_SCHEMA))))
}

/** What the schema cannot say: which samples belong together. */
private fun LatencyRun.checkTogether() {
    val samples = inferenceNs.size
    if (sampleAtNs.size != samples) {
        val what = "sample_at_ns is wrong: it has one time a sample of inference_ns"
        throw DataError(what, got = "${sampleAtNs.size}", allowed = "$samples")
    }
    for ((name, values) in listOf("preprocess_ns" to preprocessNs, "postprocess_ns" to postprocessNs)) {
        if (values.isNotEmpty() && values.size != samples) {
            val what = "$name is wrong: it is empty or has one time a sample of inference_ns"
            throw DataError(what, got = "${values.size}", allowed = "0 or $samples")
        }
    }
    for (index in 1 until samples) {
        if (sampleAtNs[index] < sampleAtNs[index - 1]) throw DataError("sample_at_ns is wrong: a monotonic clock never falls")
    }
}

private fun LatencyRun.durations(): Map<String, LongArray> =
    mapOf(
        "warmup_ns" to warmupNs,
        "preprocess_ns" to preprocessNs,
        "inference_ns" to inferenceNs,
        "postprocess_ns" to postprocessNs,
        "sample_at_ns" to sampleAtNs,
    )
