package dev.mobisdk.runtime

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.time.DateTimeException
import java.time.OffsetDateTime

/** A value breaks its schema; [path] is where, a missing key's own name included. */
internal class SchemaMismatch(
    val path: JsonPath,
    val reason: String,
) : Exception("$path: $reason")

/**
 * One of the two contracts' JSON Schemas (draft 2020-12), from this library's resources.
 *
 * They are the SDK's own files, so that a value is allowed here exactly where it is allowed there. Only the keywords
 * that they use are known: another one is an error when the schema is read, not a check that is silently left out.
 */
internal class JsonSchema private constructor(
    private val root: JsonObject,
) {
    private val patterns = HashMap<String, Regex>()

    init {
        requireKnownKeywords(root)
    }

    /** Throws [SchemaMismatch] for the first thing that is wrong. */
    fun check(value: JsonElement) {
        check(value, root, JsonPath.ROOT)
    }

    private fun check(
        value: JsonElement,
        schema: JsonObject,
        path: JsonPath,
    ) {
        schema["\$ref"]?.let { return check(value, resolve(it.text), path) }
        schema["type"]?.let { checkType(value, it, path) }
        schema["const"]?.let { if (!isSame(value, it)) mismatch(path, "it must be $it", value) }
        schema["enum"]?.let { allowed ->
            if ((allowed as JsonArray).none { isSame(value, it) }) mismatch(path, "it must be one of $allowed", value)
        }
        when {
            value is JsonObject -> checkObject(value, schema, path)
            value is JsonArray -> checkArray(value, schema, path)
            value is JsonPrimitive && value.isString -> checkText(value.content, schema, path)
            value is JsonPrimitive && value.isNumber -> checkNumber(value.content, schema, path)
        }
        (schema["allOf"] as JsonArray?)?.forEach { checkConditional(value, it as JsonObject, path) }
    }

    private fun checkConditional(
        value: JsonElement,
        schema: JsonObject,
        path: JsonPath,
    ) {
        val holds =
            try {
                check(value, schema.getValue("if") as JsonObject, path)
                true
            } catch (_: SchemaMismatch) {
                false
            }
        (schema[if (holds) "then" else "else"] as JsonObject?)?.let { check(value, it, path) }
    }

    private fun checkType(
        value: JsonElement,
        type: JsonElement,
        path: JsonPath,
    ) {
        val allowed = if (type is JsonArray) type.map { it.text } else listOf(type.text)
        if (allowed.none { isOfType(value, it) }) mismatch(path, "it must be ${allowed.joinToString(" or ")}", value)
    }

    private fun isOfType(
        value: JsonElement,
        type: String,
    ): Boolean =
        when (type) {
            "object" -> value is JsonObject
            "array" -> value is JsonArray
            "null" -> value is JsonNull
            "string" -> value is JsonPrimitive && value.isString
            "boolean" -> value is JsonPrimitive && !value.isString && (value.content == "true" || value.content == "false")
            "number" -> value is JsonPrimitive && value.isNumber
            "integer" -> value is JsonPrimitive && value.isNumber && isWhole(value.content)
            else -> error("a schema has the type $type, which is none")
        }

    private fun checkObject(
        value: JsonObject,
        schema: JsonObject,
        path: JsonPath,
    ) {
        (schema["required"] as JsonArray?)?.forEach {
            if (it.text !in value) throw SchemaMismatch(path + it.text, "it is missing")
        }
        schema["minProperties"]?.let { if (value.size < it.text.toInt()) mismatch(path, "it has fewer than ${it.text} keys") }
        schema["maxProperties"]?.let { if (value.size > it.text.toInt()) mismatch(path, "it has more than ${it.text} keys") }
        (schema["propertyNames"] as JsonObject?)?.let { names ->
            for (name in value.keys) check(JsonPrimitive(name), names, path + name)
        }
        val properties = schema["properties"] as JsonObject?
        val others = schema["additionalProperties"] as JsonObject?
        for ((key, item) in value) {
            val known = properties?.get(key) ?: others
            if (known != null) check(item, known as JsonObject, path + key)
        }
    }

    private fun checkArray(
        value: JsonArray,
        schema: JsonObject,
        path: JsonPath,
    ) {
        schema["minItems"]?.let { if (value.size < it.text.toInt()) mismatch(path, "it has fewer than ${it.text} items") }
        schema["maxItems"]?.let { if (value.size > it.text.toInt()) mismatch(path, "it has more than ${it.text} items") }
        val first = schema["prefixItems"] as JsonArray?
        first?.zip(value)?.forEachIndexed { index, (rule, item) -> check(item, rule as JsonObject, path + index) }
        val rule = (schema["items"] as JsonObject?)?.let { resolved(it) } ?: return
        for (index in (first?.size ?: 0) until value.size) {
            val item = value[index]
            // Samples come by the hundred thousand: no path is built for one that is right.
            if (!isCount(item, rule)) check(item, rule, path + index)
        }
    }

    private fun isCount(
        item: JsonElement,
        rule: JsonObject,
    ): Boolean {
        if (rule["type"]?.let { it is JsonPrimitive && it.content == "integer" } != true) return false
        val number = (item as? JsonPrimitive)?.takeIf { !it.isString }?.content?.toLongOrNull() ?: return false
        return number >= rule.getValue("minimum").text.toLong() && number <= (rule["maximum"]?.text?.toLong() ?: Long.MAX_VALUE)
    }

    private fun checkText(
        text: String,
        schema: JsonObject,
        path: JsonPath,
    ) {
        val length = text.codePointCount(0, text.length)
        schema["minLength"]?.let { if (length < it.text.toInt()) mismatch(path, "it is shorter than ${it.text}") }
        schema["maxLength"]?.let { if (length > it.text.toInt()) mismatch(path, "it is longer than ${it.text}") }
        schema["pattern"]?.let {
            if (!pattern(it.text).containsMatchIn(text)) mismatch(path, "it must match ${it.text}", JsonPrimitive(text))
        }
        if (schema["format"]?.text == "date-time" && !isDateTime(text)) {
            mismatch(path, "it must be a date and time", JsonPrimitive(text))
        }
    }

    private fun checkNumber(
        spelling: String,
        schema: JsonObject,
        path: JsonPath,
    ) {
        fun compare(other: JsonElement): Int {
            val (left, right) = spelling.toLongOrNull() to other.text.toLongOrNull()
            return if (left != null && right != null) left.compareTo(right) else spelling.toDouble().compareTo(other.text.toDouble())
        }
        schema["minimum"]?.let { if (compare(it) < 0) mismatch(path, "it is below ${it.text}", JsonPrimitive(spelling)) }
        schema["maximum"]?.let { if (compare(it) > 0) mismatch(path, "it is above ${it.text}", JsonPrimitive(spelling)) }
        schema["exclusiveMinimum"]?.let {
            if (compare(it) <= 0) mismatch(path, "it must be above ${it.text}", JsonPrimitive(spelling))
        }
    }

    private fun mismatch(
        path: JsonPath,
        reason: String,
        value: JsonElement? = null,
    ): Nothing {
        val got = if (value is JsonPrimitive) ", got ${value.content.shown()}" else ""
        throw SchemaMismatch(path, reason + got)
    }

    /** A `$` in a schema is the end of the text; in Java it also stands before a last line's end. */
    private fun pattern(source: String): Regex =
        patterns.getOrPut(source) { Regex(if (source.endsWith("$")) source.dropLast(1) + "\\z" else source) }

    private fun resolved(schema: JsonObject): JsonObject = schema["\$ref"]?.let { resolve(it.text) } ?: schema

    private fun resolve(reference: String): JsonObject =
        (root.getValue("\$defs") as JsonObject).getValue(reference.removePrefix("#/\$defs/")) as JsonObject

    companion object {
        private val KEYWORDS =
            (
                "type const enum required properties additionalProperties propertyNames minProperties maxProperties " +
                    "items prefixItems minItems maxItems minLength maxLength pattern format minimum maximum " +
                    "exclusiveMinimum allOf if then else \$ref \$defs \$schema \$comment title description"
            ).split(' ').toSet()
        private val HOLD_SCHEMAS = setOf("properties", "\$defs")
        private val HOLD_LISTS = setOf("allOf", "prefixItems")

        fun read(name: String): JsonSchema {
            val stream = checkNotNull(JsonSchema::class.java.getResourceAsStream(name)) { "$name is not in this library's resources" }
            return JsonSchema(StrictJson.parse(stream.use { it.readBytes() }) as JsonObject)
        }

        private fun requireKnownKeywords(schema: JsonObject) {
            for ((key, value) in schema) {
                check(key in KEYWORDS) { "a schema uses $key, which this validator does not know" }
                when {
                    key in HOLD_SCHEMAS -> (value as JsonObject).values.forEach { requireKnownKeywords(it as JsonObject) }
                    key in HOLD_LISTS -> (value as JsonArray).forEach { requireKnownKeywords(it as JsonObject) }
                    key != "const" && value is JsonObject -> requireKnownKeywords(value)
                }
            }
        }

        private fun isSame(
            value: JsonElement,
            other: JsonElement,
        ): Boolean =
            if (value is JsonPrimitive && other is JsonPrimitive && value.isNumber && other.isNumber) {
                value.content.toDouble() == other.content.toDouble()
            } else {
                value == other
            }

        private fun isWhole(spelling: String): Boolean = spelling.toLongOrNull() != null || spelling.toDouble().let { it == Math.rint(it) }

        private fun isDateTime(text: String): Boolean =
            try {
                OffsetDateTime.parse(text)
                true
            } catch (_: DateTimeException) {
                false
            }
    }
}

private val JsonElement.text: String get() = (this as JsonPrimitive).content

private val JsonPrimitive.isNumber: Boolean
    get() = !isString && this !is JsonNull && (content[0] == '-' || content[0] in '0'..'9')
