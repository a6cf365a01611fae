package dev.mobisdk.runtime

import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.JsonUnquotedLiteral
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException

/** The text is not JSON, or is JSON that readers understand differently. */
internal class MalformedJson(
    message: String,
) : Exception(message)

/** A value that JSON cannot hold, or that no double or text can: infinity, NaN, half a surrogate pair. */
internal class OddJsonValue(
    val path: JsonPath,
    val value: String,
) : Exception("$path: $value")

/** Names (String) and places (Int) from the outside in. */
internal data class JsonPath(
    val steps: List<Any>,
) {
    operator fun plus(step: Any) = JsonPath(steps + step)

    /** `device.model`, `inference_ns[3]`; a key that is no plain word is quoted, and a long path cut. */
    override fun toString(): String =
        steps
            .joinToString("", transform = ::spell)
            .removePrefix(".")
            .take(LONGEST)

    private fun spell(step: Any): String =
        when {
            step !is String -> "[$step]"
            PLAIN.matches(step) -> ".$step"
            else -> "[${step.shown()}]"
        }

    companion object {
        private const val LONGEST = 300
        private val PLAIN = Regex("[A-Za-z_][A-Za-z0-9_]*")
        val ROOT = JsonPath(emptyList())
    }
}

/**
 * Reads JSON that may be hostile, into kotlinx' tree.
 *
 * kotlinx-serialization's own reader takes keys that stand twice (the last wins), half surrogate pairs, and words for
 * numbers; other readers of the same file differ. Numbers keep their spelling.
 */
internal class StrictJson private constructor(
    private val text: String,
) {
    private var at = 0
    private val path = ArrayList<Any>()

    private fun document(): JsonElement {
        val value = value()
        skipSpace()
        if (at < text.length) fail("more follows its end")
        return value
    }

    private fun value(): JsonElement {
        if (path.size > DEEPEST) fail("it is nested too deeply")
        skipSpace()
        return when (peek()) {
            '{' -> objectValue()
            '[' -> arrayValue()
            '"' -> JsonPrimitive(string())
            't' -> word("true", JsonPrimitive(true))
            'f' -> word("false", JsonPrimitive(false))
            'n' -> word("null", JsonNull)
            'N' -> oddWord("NaN")
            'I' -> oddWord("Infinity")
            else -> number()
        }
    }

    private fun objectValue(): JsonObject {
        val members = LinkedHashMap<String, JsonElement>()
        at++
        skipSpace()
        if (skip('}')) return JsonObject(members)
        do {
            skipSpace()
            if (peek() != '"') fail("a key is missing")
            val key = string()
            skipSpace()
            if (!skip(':')) fail("a colon is missing")
            path.add(key)
            val value = value()
            path.removeAt(path.size - 1)
            if (members.put(key, value) != null) fail("the key ${key.shown()} stands twice in one object")
            skipSpace()
        } while (skip(','))
        if (!skip('}')) fail("an object has no end")
        return JsonObject(members)
    }

    private fun arrayValue(): JsonArray {
        val items = ArrayList<JsonElement>()
        at++
        skipSpace()
        if (skip(']')) return JsonArray(items)
        val start = at
        countArray()?.let { return it }
        at = start
        path.add(0)
        do {
            path[path.size - 1] = items.size
            items.add(value())
            skipSpace()
        } while (skip(','))
        path.removeAt(path.size - 1)
        if (!skip(']')) fail("a list has no end")
        return JsonArray(items)
    }

    /** Whole numbers from 0 alone; null, somewhere behind its start, where it holds anything else. */
    private fun countArray(): JsonArray? {
        var counts = LongArray(FIRST_CAPACITY)
        var size = 0
        do {
            skipSpace()
            val start = at
            var count = 0L
            while (at < text.length && text[at] in '0'..'9' && at - start < MOST_COUNT_DIGITS) count = count * 10 + (text[at++] - '0')
            if (at == start || (at - start > 1 && text[start] == '0')) return null
            if (size == counts.size) counts = counts.copyOf(2 * size)
            counts[size++] = count
            skipSpace()
        } while (skip(','))
        return if (skip(']')) JsonArray(CountList(counts.copyOf(size))) else null
    }

    private fun string(): String {
        val start = ++at
        while (true) {
            val letter = peek()
            when {
                letter == '"' -> return text.substring(start, at++)
                letter == '\\' -> return escapedString(start)
                letter < ' ' -> fail("a text holds a control character")
                else -> at++
            }
        }
    }

    private fun escapedString(start: Int): String {
        val built = StringBuilder(text.substring(start, at))
        var escapedUnicode = false
        while (true) {
            val letter = peek()
            at++
            when {
                letter == '"' -> {
                    break
                }

                letter < ' ' -> {
                    fail("a text holds a control character")
                }

                letter == '\\' -> {
                    escapedUnicode = escapedUnicode or (peek() == 'u')
                    built.append(escape())
                }

                else -> {
                    built.append(letter)
                }
            }
        }
        val whole = built.toString()
        if (escapedUnicode && hasHalfSurrogate(whole)) throw OddJsonValue(JsonPath(path.toList()), whole.shown())
        return whole
    }

    private fun escape(): Char {
        val letter = peek()
        at++
        return when (letter) {
            '"', '\\', '/' -> letter
            'b' -> '\b'
            'f' -> '\u000c'
            'n' -> '\n'
            'r' -> '\r'
            't' -> '\t'
            'u' -> unicodeEscape()
            else -> fail("a text has an escape that is none")
        }
    }

    private fun unicodeEscape(): Char {
        var code = 0
        repeat(UNICODE_DIGITS) {
            val digit = Character.digit(peek(), HEX)
            if (digit < 0 || peek() > 'f') fail("a text has an escape that is none")
            code = code * HEX + digit
            at++
        }
        return code.toChar()
    }

    @OptIn(ExperimentalSerializationApi::class)
    private fun number(): JsonPrimitive {
        val start = at
        skip('-')
        if (at < text.length && text[at] == 'I') oddWord("Infinity")
        if (!skip('0')) digits()
        if (skip('.')) digits()
        if (skip('e') || skip('E')) {
            if (!skip('+')) skip('-')
            digits()
        }
        val spelling = text.substring(start, at)
        if (spelling.toDouble().isInfinite()) throw OddJsonValue(JsonPath(path.toList()), spelling.shown())
        return JsonUnquotedLiteral(spelling)
    }

    private fun digits() {
        val start = at
        while (at < text.length && text[at] in '0'..'9') at++
        if (at == start) fail("a value is missing")
    }

    private fun <T : JsonElement> word(
        word: String,
        value: T,
    ): T {
        if (!text.startsWith(word, at)) fail("a value is missing")
        at += word.length
        return value
    }

    private fun oddWord(word: String): Nothing {
        if (text.startsWith(word, at)) throw OddJsonValue(JsonPath(path.toList()), word)
        fail("a value is missing")
    }

    private fun peek(): Char = if (at < text.length) text[at] else fail("it ends too early")

    private fun skip(letter: Char): Boolean {
        val isThere = at < text.length && text[at] == letter
        if (isThere) at++
        return isThere
    }

    private fun skipSpace() {
        while (at < text.length && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t')) at++
    }

    private fun fail(what: String): Nothing = throw MalformedJson("$what (at character $at)")

    companion object {
        private const val DEEPEST = 200
        private const val UNICODE_DIGITS = 4
        private const val FIRST_CAPACITY = 16
        private const val MOST_COUNT_DIGITS = 18
        private const val HEX = 16

        /** Throws [MalformedJson] and [OddJsonValue]. */
        fun parse(content: ByteArray): JsonElement {
            val text =
                try {
                    Charsets.UTF_8
                        .newDecoder()
                        .decode(ByteBuffer.wrap(content))
                        .toString()
                } catch (exc: CharacterCodingException) {
                    throw MalformedJson("it is not UTF-8: ${exc.message}")
                }
            return StrictJson(text).document()
        }

        private fun hasHalfSurrogate(text: String): Boolean {
            var index = 0
            while (index < text.length) {
                val point = text.codePointAt(index)
                if (point in 0xD800..0xDFFF) return true
                index += Character.charCount(point)
            }
            return false
        }
    }
}

/** Samples come by the hundred thousand: they are kept as numbers, and become elements when they are asked for. */
private class CountList(
    private val counts: LongArray,
) : AbstractList<JsonElement>() {
    override val size get() = counts.size

    override fun get(index: Int): JsonElement = JsonPrimitive(counts[index])
}
