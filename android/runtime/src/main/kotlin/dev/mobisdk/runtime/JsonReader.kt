package dev.mobisdk.runtime

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** A value of somebody else's JSON is not what it must be. */
internal class JsonMismatch(
    val path: JsonPath,
    val reason: String,
) : Exception("$path: $reason")

/** Reads values out of JSON whose author is not trusted; everything throws [JsonMismatch]. */
internal class JsonReader(
    val value: JsonElement,
    private val path: JsonPath = JsonPath.ROOT,
) {
    operator fun get(key: String): JsonReader = find(key) ?: throw JsonMismatch(path + key, "it is missing")

    fun find(key: String): JsonReader? {
        val members = value as? JsonObject ?: fail("it must be an object")
        return members[key]?.let { JsonReader(it, path + key) }
    }

    fun keys(): Set<String> = (value as? JsonObject ?: fail("it must be an object")).keys

    fun items(): List<JsonReader> {
        val list = value as? JsonArray ?: fail("it must be a list")
        return list.mapIndexed { index, item -> JsonReader(item, path + index) }
    }

    fun text(lengths: IntRange = 1..200): String {
        val text = (value as? JsonPrimitive)?.takeIf { it.isString }?.content ?: fail("it must be a text")
        if (text.length !in lengths) fail("it must have ${lengths.first} to ${lengths.last} characters")
        return text
    }

    fun sha256(): String {
        val text = text()
        if (!SHA256.matches(text)) fail("it must be 64 hexadecimal digits")
        return text
    }

    fun count(): Long {
        val number = number()
        if (number !in 0.0..MOST || number != Math.rint(number)) fail("it must be a whole number from 0")
        return number.toLong()
    }

    fun int(): Int {
        val number = count()
        if (number > Int.MAX_VALUE) fail("it is too large")
        return number.toInt()
    }

    fun number(): Double {
        val primitive = value as? JsonPrimitive
        if (primitive == null || primitive is JsonNull || primitive.isString) fail("it must be a number")
        return primitive.content.takeIf { it != "true" && it != "false" }?.toDouble() ?: fail("it must be a number")
    }

    fun nonNull(): JsonReader? = takeIf { value !is JsonNull }

    fun fail(reason: String): Nothing = throw JsonMismatch(path, reason)

    private companion object {
        /** Beyond it doubles skip whole numbers. */
        const val MOST = 9_007_199_254_740_992.0
        val SHA256 = Regex("[0-9a-f]{64}")
    }
}
