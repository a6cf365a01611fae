package dev.mobisdk.runtime

import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.JsonUnquotedLiteral
import kotlinx.serialization.json.decodeFromJsonElement

internal const val MANIFEST_NAME = "manifest.json"
internal const val LARGEST_MANIFEST_BYTES = 1024 * 1024
private const val EXPORT_AGAIN = "Export it again, or copy it again from where it was whole"
private const val DIGITS = 64
private val SEAL = "\"manifest_sha256\": \"".toByteArray()
private val NOT_IN_BUNDLE_ID = setOf("bundle_id", "created_at", "manifest_sha256", "parity", "request_sha256")
private val MANIFEST_SCHEMA by lazy { JsonSchema.read("manifest.schema.json") }

/** Reads contracts' values out of a tree that was held against its schema. */
internal val CONTRACT_JSON = Json { ignoreUnknownKeys = true }

/** Reads the bytes of a manifest.json that may be hostile; throws [BundleError]. */
internal fun parseManifest(content: ByteArray): Manifest {
    if (content.size > LARGEST_MANIFEST_BYTES) {
        throw BundleError("$MANIFEST_NAME is too large", got = "${content.size} bytes", allowed = "at most 1 MiB")
    }
    val document = readTree(content)
    checkSeal(content, document.text("manifest_sha256"))
    checkBundleId(document)
    return try {
        CONTRACT_JSON.decodeFromJsonElement<Manifest>(wholeNumbers(document))
    } catch (exc: SerializationException) {
        throw BundleError("$MANIFEST_NAME has a number that is too large", hint = EXPORT_AGAIN, cause = exc)
    }
}

private fun readTree(content: ByteArray): JsonObject {
    try {
        val document = StrictJson.parse(content)
        MANIFEST_SCHEMA.check(document)
        return document as JsonObject
    } catch (exc: MalformedJson) {
        throw BundleError("$MANIFEST_NAME is not JSON: ${exc.message}", hint = EXPORT_AGAIN, cause = exc)
    } catch (exc: OddJsonValue) {
        val reason = "it must be finite numbers and whole characters"
        throw BundleError("$MANIFEST_NAME is wrong at \$.${exc.path}: $reason", hint = EXPORT_AGAIN, cause = exc)
    } catch (exc: SchemaMismatch) {
        throw BundleError("$MANIFEST_NAME is wrong at \$.${exc.path}: ${exc.reason}", hint = EXPORT_AGAIN, cause = exc)
    }
}

/** The hash is over the file's own bytes with its digits replaced by zeros: no spelling of JSON has to be agreed on. */
private fun checkSeal(
    content: ByteArray,
    expected: String,
) {
    val starts = content.indices.filter { start -> startsWith(content, SEAL, start) }
    val digits = (starts.firstOrNull() ?: 0) + SEAL.size
    if (starts.size != 1 || digits + DIGITS > content.size) {
        throw BundleError("$MANIFEST_NAME must hold manifest_sha256 once, in its own spelling", hint = EXPORT_AGAIN)
    }
    val unsealed = content.copyOf()
    unsealed.fill('0'.code.toByte(), digits, digits + DIGITS)
    if (sha256Hex(unsealed) != expected) {
        throw BundleError("$MANIFEST_NAME was changed after it was written: its hash does not fit manifest_sha256", hint = EXPORT_AGAIN)
    }
}

private fun startsWith(
    content: ByteArray,
    part: ByteArray,
    start: Int,
): Boolean {
    if (start + part.size > content.size) return false
    for (index in part.indices) if (content[start + index] != part[index]) return false
    return true
}

/** Numbers keep the spelling that they have in the file, which Python wrote. */
private fun checkBundleId(document: JsonObject) {
    val identity = JsonObject(document.filterKeys { it !in NOT_IN_BUNDLE_ID })
    val bundleId = document.text("bundle_id")
    if (sha256Hex(buildString { appendCanonical(identity) }.toByteArray()) != bundleId) {
        throw BundleError("$MANIFEST_NAME has a bundle_id of another bundle", got = bundleId.shown(), hint = EXPORT_AGAIN)
    }
}

/** Sorted keys, no white space, no escape that is not needed: as Python's `json.dumps` writes it for the hash. */
private fun StringBuilder.appendCanonical(value: JsonElement) {
    when (value) {
        is JsonObject -> {
            append('{')
            value.keys.sortedWith(BY_CODE_POINT).forEachIndexed { index, key ->
                if (index > 0) append(',')
                appendQuoted(key)
                append(':')
                appendCanonical(value.getValue(key))
            }
            append('}')
        }

        is JsonArray -> {
            append('[')
            value.forEachIndexed { index, item ->
                if (index > 0) append(',')
                appendCanonical(item)
            }
            append(']')
        }

        is JsonPrimitive -> {
            if (value.isString) appendQuoted(value.content) else append(value.content)
        }
    }
}

private fun StringBuilder.appendQuoted(text: String) {
    append('"')
    for (letter in text) {
        when (letter) {
            '"' -> append("\\\"")
            '\\' -> append("\\\\")
            '\n' -> append("\\n")
            '\r' -> append("\\r")
            '\t' -> append("\\t")
            '\b' -> append("\\b")
            '\u000c' -> append("\\f")
            else -> if (letter < ' ') append("\\u%04x".format(letter.code)) else append(letter)
        }
    }
    append('"')
}

/** Python sorts by code point, Kotlin by UTF-16 unit: they differ beyond U+FFFF. */
private val BY_CODE_POINT =
    Comparator<String> { left, right ->
        val (a, b) = left.codePoints().toArray() to right.codePoints().toArray()
        val place = a.indices.firstOrNull { it >= b.size || a[it] != b[it] } ?: a.size
        if (place < a.size && place < b.size) a[place].compareTo(b[place]) else a.size.compareTo(b.size)
    }

/** A schema's integer may be spelled 3.0; a `Long` may not. */
@OptIn(ExperimentalSerializationApi::class)
internal fun wholeNumbers(value: JsonElement): JsonElement =
    when (value) {
        is JsonObject -> {
            JsonObject(value.mapValues { wholeNumbers(it.value) })
        }

        is JsonArray -> {
            if (value.any { it !is JsonPrimitive || spellsWhole(it) }) JsonArray(value.map(::wholeNumbers)) else value
        }

        is JsonPrimitive -> {
            if (spellsWhole(value)) JsonUnquotedLiteral("${value.content.toDouble().toLong()}") else value
        }
    }

private fun spellsWhole(value: JsonPrimitive): Boolean {
    if (value.isString || value is JsonNull) return false
    if (value.content.none { it == '.' || it == 'e' || it == 'E' }) return false
    val number = value.content.toDoubleOrNull() ?: return false
    return number == Math.rint(number) && Math.abs(number) < Long.MAX_VALUE
}

private fun JsonObject.text(key: String): String = (getValue(key) as JsonPrimitive).content
