package dev.mobisdk.runtime

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.decodeFromJsonElement
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

class ThermalScaleTest {
    private val table = ContractFiles.json("thermal.json")

    @Test
    fun `every status of the contract has its state and its name`() {
        for (entry in table["android"].items) {
            val raw = entry["raw"].int
            assertEquals(Json.decodeFromJsonElement<ThermalState>(entry["state"]), ThermalScale.fromAndroid(raw))
            assertEquals(entry["name"].string, ThermalScale.nameOfAndroid(raw))
        }
    }

    @Test
    fun `a status that is not documented is null`() {
        for (raw in table["unknown"]["android"].items) {
            assertNull(ThermalScale.fromAndroid(raw.int))
            assertNull(ThermalScale.nameOfAndroid(raw.int))
        }
    }

    @Test
    fun `states are ordered from cool to hot`() {
        val ordered = table["states"].items.map { Json.decodeFromJsonElement<ThermalState>(it) }
        assertEquals(ordered, ThermalState.entries.toList())
    }
}
