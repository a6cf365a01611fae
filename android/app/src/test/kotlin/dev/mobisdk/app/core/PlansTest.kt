package dev.mobisdk.app.core

import dev.mobisdk.runtime.Mode
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class PlansTest {
    @Test
    fun `what is chosen on the screen is a plan like another`() {
        val sustained = planOf(BenchChoice(setOf("one"), Mode.SUSTAINED, 4), listOf("one"))
        assertEquals(
            listOf(Mode.SUSTAINED, Mode.SUSTAINED, 1, 600.0, 4),
            sustained.run {
                listOf(mode, config.mode, config.runs, config.seconds, config.threads)
            },
        )
        val cold = planOf(BenchChoice(mode = Mode.COLD), listOf("one", "two"))
        assertEquals(listOf(Mode.COLD, Mode.BURST, 10, null), cold.run { listOf(mode, config.mode, config.runs, config.threads) })
    }

    @Test
    fun `a plan's name never becomes a path`() {
        for (name in listOf("nightly", "A-1_b", "x".repeat(64))) assertTrue(isPlanName(name))
        for (name in listOf("", "..", "a/b", "a.json", "a\n", "\u0642", "a\u0000", "x".repeat(65))) assertFalse(isPlanName(name))
    }

    @Test
    fun `a result is the contract's`() {
        fun parse(text: String) = Json.parseToJsonElement(text) as JsonObject
        val failed = parse(describePlanResult("nightly", PlanStatus.FAILED, 3, "got \"x\"\nhot"))
        assertEquals(setOf("schema", "plan", "status", "runs", "error"), failed.keys)
        assertEquals(
            listOf("mobisdk.plan-result/1", "nightly", "failed"),
            listOf("schema", "plan", "status").map {
                (failed[it] as JsonPrimitive).content
            },
        )
        assertEquals("got \"x\"\nhot", (failed["error"] as JsonPrimitive).content)
        assertEquals(JsonNull, parse(describePlanResult("a", PlanStatus.FINISHED, 0, null))["error"])
    }
}
