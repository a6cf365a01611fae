package dev.mobisdk.runtime

import org.junit.Assert.assertEquals
import org.junit.Test
import java.io.File

class SchemaTest {
    @Test
    fun `the library carries the SDK's own schemas`() {
        val sdk = File(ContractFiles.directory, "../../sdk/mobisdk")
        for ((room, name) in listOf("bundle" to "manifest.schema.json", "latency" to "latency_run.schema.json")) {
            val carried = JsonSchema::class.java.getResource(name)!!.readText()
            assertEquals("copy $room/$name to runtime/src/main/resources", File(sdk, "$room/$name").readText(), carried)
        }
    }
}
