package dev.mobisdk.runtime

import kotlinx.serialization.json.JsonArray
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertThrows
import org.junit.Test

class StrictJsonTest {
    private fun parse(text: String) = StrictJson.parse(text.toByteArray())

    @Test
    fun `whole numbers are kept as numbers, and every spelling stays`() {
        val counts = parse(" [ 0,12 ,\n999999999999999999 ] ") as JsonArray
        assertEquals(listOf("0", "12", "999999999999999999"), counts.map { it.string })
        assertNotSame("an element is made when it is asked for", counts[1], counts[1])
        for (text in listOf("[1,2.0]", "[1,-2]", "[1e3]", "[1,\"2\"]", "[1,[2]]", "[1234567890123456789012]", "[1,null]", "[]")) {
            assertEquals(text, parse(text).toString())
        }
    }

    @Test
    fun `what other readers understand differently is refused where it stands`() {
        fun refused(text: String) = assertThrows(text, MalformedJson::class.java) { parse(text) }.message!!
        assertEquals("a value is missing (at character 3)", refused("[1,]"))
        assertEquals("a list has no end (at character 2)", refused("[01]"))
        assertEquals("a list has no end (at character 3)", refused("[1 2]"))
        assertEquals("it ends too early (at character 3)", refused("[1,"))
        assertEquals("more follows its end (at character 4)", refused("[1] 2"))
        assertEquals("the key 'a' stands twice in one object (at character 14)", refused("{\"a\": 1, \"a\":2}"))
        val broken = listOf("", "nul", "{\"a\" 1}", "{a:1}", "\"\\x\"", "\"\\u12\"", "\"a\nb\"", "+1", "1.", "-", "NULL", "{\"a\":1", "\"a")
        for (text in broken) refused(text)
    }

    @Test
    fun `numbers that no double holds are refused by their path`() {
        fun odd(text: String) = assertThrows(text, OddJsonValue::class.java) { parse(text) }.message
        assertEquals("a[2]: '1e999'", odd("{\"a\": [1, 2, 1e999]}"))
        assertEquals("a['b c']: NaN", odd("{\"a\": {\"b c\": NaN}}"))
        assertEquals("[0]: Infinity", odd("[-Infinity]"))
    }
}
