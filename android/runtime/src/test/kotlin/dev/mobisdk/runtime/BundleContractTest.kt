package dev.mobisdk.runtime

import dev.mobisdk.runtime.lab.BundleStore
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Assert.fail
import org.junit.Test
import java.io.File
import java.nio.file.Files

class BundleContractTest {
    @Test
    fun `folders are used or refused as the contract says`() {
        val cases = ContractFiles.json("bundles/cases.json").items
        assertTrue(cases.size >= 90)
        for (case in cases) {
            withFolder { scratch ->
                val bundle = makeFolder(case, scratch)
                check(case) { ModelBundle.open(bundle).apply { verifyFiles() } }
            }
        }
    }

    @Test
    fun `zip files are used or refused as the contract says`() {
        val cases = ContractFiles.json("bundles/zips.json").items
        assertTrue(cases.size >= 10)
        for (case in cases) {
            withFolder { scratch ->
                val store = BundleStore(File(scratch, "store"))
                val zip = File(ContractFiles.directory, "bundles/" + case["zip"].string)
                check(case) { store.add(zip).apply { verifyFiles() } }
                val isUsed = case["expect"].string == "use"
                assertEquals(case["name"].string, if (isUsed) 1 else 0, store.list().bundles.size)
                val left = File(scratch, "store").list().orEmpty().filter { it.startsWith(".partial") }
                assertEquals("${case["name"]} leaves nothing half", emptyList<String>(), left)
            }
        }
    }

    @Test
    fun `a bundle of a newer runtime names the version to use`() {
        val case = ContractFiles.json("bundles/cases.json").items.single { it["name"].string == "good_min_runtime" }
        withFolder { scratch ->
            val bundle = ModelBundle.open(makeFolder(case, scratch))
            val least = bundle.manifest.target.minRuntime!!
            for (version in listOf(null, least, "$least+cpu", "99.1")) bundle.checkRequirements("executorch", version, 99)
            val error = assertThrows(UnsupportedError::class.java) { bundle.checkRequirements("executorch", "0.9", 99) }
            val sentence = "needs a newer executorch, got 0.9; allowed: $least or newer. Build the app with executorch $least"
            assertEquals("${bundle.name} $sentence", error.message)
        }
    }

    private fun check(
        case: JsonElement,
        open: () -> ModelBundle,
    ) {
        val name = case["name"].string
        if (case["expect"].string == "use") {
            open()
            return
        }
        try {
            open()
        } catch (error: MobiError) {
            assertEquals(name, case["error"].string, error.javaClass.simpleName)
            val names = case.find("names")?.string ?: ""
            assertTrue("$name: ${error.message} names not $names", names in error.message!!)
            return
        }
        fail("$name was not refused")
    }

    private fun makeFolder(
        case: JsonElement,
        scratch: File,
    ): File {
        val bundle = File(scratch, "bundle")
        File(ContractFiles.directory, "bundles/" + case["base"].string).copyRecursively(bundle)
        case.find("manifest_edits")?.let { edits ->
            val manifest = File(bundle, "manifest.json")
            manifest.writeBytes(applyEdits(manifest.readBytes(), edits.items))
        }
        val files = case.find("files") ?: return bundle
        files.find("remove")?.items?.forEach { assertTrue(File(bundle, it.string).deleteRecursively()) }
        files.find("folder")?.items?.forEach { File(bundle, it.string).mkdirs() }
        (files.find("write") as JsonObject?)?.forEach { (path, text) -> write(File(bundle, path), text.string) }
        (files.find("write_outside") as JsonObject?)?.forEach { (path, text) -> write(File(scratch, path), text.string) }
        (files.find("link") as JsonObject?)?.forEach { (path, target) ->
            val link = File(bundle, path)
            link.deleteRecursively()
            link.parentFile.mkdirs()
            Files.createSymbolicLink(link.toPath(), File(target.string).toPath())
        }
        return bundle
    }

    private fun write(
        file: File,
        text: String,
    ) {
        file.parentFile.mkdirs()
        file.writeText(text)
    }
}
