package dev.mobisdk.runtime

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File

class LatencyContractTest {
    private val expected = ContractFiles.json("latency/expected.json")

    @Test
    fun `good lines are read, and written again with the same meaning`() {
        val lines = readLines("good.jsonl")
        for (entry in expected["good.jsonl"].items) {
            val line = lines[entry["line"].int - 1]
            val run = parseLatencyRun(line)
            val again = parseLatencyRun(run.toJsonLine().toByteArray())
            assertEquals(entry["what"].string, run.toJsonLine(), again.toJsonLine())
            val original = Json.parseToJsonElement(line.toString(Charsets.UTF_8)) as JsonObject
            val written = Json.parseToJsonElement(run.toJsonLine()) as JsonObject
            for (key in setOf("run_id", "started_at", "mode", "device", "app", "inference_ns", "thermal", "golden", "notes")) {
                assertSubset("${entry["what"]}: $key", written.getValue(key), original.getValue(key))
            }
        }
    }

    @Test
    fun `bad lines are refused with a reason that names the field`() {
        val lines = readLines("bad.jsonl")
        val entries = expected["bad.jsonl"].items
        assertTrue(entries.size >= 43)
        for (entry in entries) {
            val what = entry["what"].string
            val error = assertThrows(what, DataError::class.java) { parseLatencyRun(lines[entry["line"].int - 1]) }
            val field = entry.find("field")?.string ?: ""
            assertTrue("$what: ${error.message} names not $field", error.message!!.startsWith(field))
        }
    }

    @Test
    fun `a key that stands twice is named, whatever its value`() {
        val good = readLines("good.jsonl")[0].toString(Charsets.UTF_8)
        val twice = good.replaceFirst("{", "{\"notes\":null,")
        val error = assertThrows(DataError::class.java) { parseLatencyRun(twice.toByteArray()) }
        assertTrue(error.message!!, error.message!!.startsWith("the line is not JSON: the key 'notes' stands twice in one object"))
    }

    @Test
    fun `half a surrogate pair is refused in a value and in a key, and a whole one is not`() {
        val good = readLines("good.jsonl")[0].toString(Charsets.UTF_8)
        for (half in listOf("\\ud83d", "\\udc4d", "\\udc4d\\ud83d", "x\\ud83dx")) {
            val inValue = good.replaceFirst("{", "{\"extra\":{\"a\":[1,\"$half\"]},")
            val error = assertThrows(half, DataError::class.java) { parseLatencyRun(inValue.toByteArray()) }
            assertTrue(error.message!!, error.message!!.startsWith("extra.a[1] is wrong"))
            val inKey = good.replaceFirst("{", "{\"$half\":1,")
            assertThrows(half, DataError::class.java) { parseLatencyRun(inKey.toByteArray()) }
        }
        parseLatencyRun(good.replaceFirst("{", "{\"extra\":\"\\ud83d\\udc4d\",").toByteArray())
    }

    @Test
    fun `a line past 16 MiB is refused before it is read`() {
        val error = assertThrows(DataError::class.java) { parseLatencyRun(ByteArray(16 * 1024 * 1024 + 1)) }
        assertEquals("the line is too long, got 16777217; allowed: at most 16777216 bytes", error.message)
    }

    @Test
    fun `a run that breaks the contract is not written`() {
        val run = parseLatencyRun(readLines("good.jsonl")[0])

        fun refused(broken: LatencyRun) = assertThrows(DataError::class.java) { broken.toJsonLine() }.message!!
        assertEquals("inference_ns[1] is wrong: it is no duration, got -5", refused(run.copy(inferenceNs = longArrayOf(1, -5))))
        assertEquals("sample_at_ns is wrong: a monotonic clock never falls", refused(ofTimes(run, longArrayOf(4, 3))))
        assertEquals(
            "sample_at_ns is wrong: it has one time a sample of inference_ns, got 1; allowed: 2",
            refused(run.copy(inferenceNs = longArrayOf(1, 2), sampleAtNs = longArrayOf(0))),
        )
        assertTrue(refused(run.copy(runId = "7")).startsWith("run_id is wrong"))
        assertTrue(refused(run.copy(device = run.device.copy(model = ""))).startsWith("device.model is wrong"))
        val hot = run.conditions.copy(batteryCelsius = Double.NaN)
        assertTrue(refused(run.copy(conditions = hot)).startsWith("a run holds what JSON cannot"))
    }

    private fun ofTimes(
        run: LatencyRun,
        times: LongArray,
    ) = run.copy(
        inferenceNs = LongArray(times.size),
        sampleAtNs = times,
        preprocessNs = LongArray(0),
        postprocessNs = LongArray(0),
    )

    private fun assertSubset(
        what: String,
        part: JsonElement,
        whole: JsonElement,
    ) {
        if (part is JsonObject) {
            for ((key, value) in part) assertSubset("$what.$key", value, whole[key])
        } else {
            val (expected, written) = whole.toString() to part.toString()
            assertEquals(what, expected.toDoubleOrNull() ?: expected, written.toDoubleOrNull() ?: written)
        }
    }

    /** Bytes, and at line feeds only: one line is not UTF-8. */
    private fun readLines(name: String): List<ByteArray> {
        val lines = ArrayList<ByteArray>()
        LineReader(File(ContractFiles.directory, "latency/$name")).use { reader ->
            while (true) lines += reader.next()?.content ?: break
        }
        return lines
    }
}
