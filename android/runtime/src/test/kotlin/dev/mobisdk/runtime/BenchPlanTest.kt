package dev.mobisdk.runtime

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class BenchPlanTest {
    private val plans = ContractFiles.json("plans.json")

    @Test
    fun `good plans mean what the contract says`() {
        for (case in plans["good"].items) {
            val plan = BenchPlan.parse(case["plan"].string.toByteArray())
            val expected = case["expect"]
            val name = case["name"].string
            assertEquals(name, expected["bundles"].items.map { it.string }, plan.bundles)
            assertEquals(name, expected["mode"].string.uppercase(), plan.mode.name)
            assertEquals(name, expected["runs"].int, plan.config.runs)
            assertEquals(name, expected["samples"].int, plan.config.samples)
            assertEquals(name, expected["seconds"].string.toDouble(), plan.config.seconds, 0.0)
            assertEquals(name, expected.find("threads")?.int, plan.config.threads)
            assertEquals(name, expected.find("compute_units")?.string, plan.computeUnits)
        }
    }

    @Test
    fun `bad plans are refused by the key that is wrong`() {
        for (case in plans["bad"].items) {
            val error = assertThrows(case["name"].string, ConfigError::class.java) { BenchPlan.parse(case["plan"].string.toByteArray()) }
            assertTrue("${case["name"]}: ${error.message}", case["field"].string in error.message!!)
        }
        val large = " ".repeat(65_537).toByteArray()
        assertEquals("the plan is too large, got 65537 bytes; allowed: at most 64 KiB", messageOf { BenchPlan.parse(large) })
        assertTrue(messageOf { BenchPlan.parse("{\"schema\": 1e999}".toByteArray()) }.startsWith("schema of the plan is wrong"))
    }

    private fun messageOf(body: () -> Unit) = assertThrows(ConfigError::class.java) { body() }.message!!
}
