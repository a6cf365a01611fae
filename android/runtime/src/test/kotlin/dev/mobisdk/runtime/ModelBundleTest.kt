package dev.mobisdk.runtime

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File

class ModelBundleTest {
    private val bundle = androidBundle

    @Test
    fun `a bundle tells what a phone needs`() {
        assertEquals("mobilenet_v1-a0.25-r8-xnnpack_fp32-12dac8d6", bundle.name)
        assertEquals(listOf("cat", "dog"), bundle.readLabels())
        assertEquals("model.pte", bundle.modelFile.name)
        assertEquals(8 * 8 * 3, bundle.readGoldenInput().size)
        assertEquals(2, bundle.readGoldenOutput().size)
        assertTrue(bundle.goldenImageFile.isFile)
        assertEquals(64L, bundle.manifest.modelSizeBytes)
        assertTrue(bundle.manifest.sizeBytes > 64)
        assertTrue(bundle.manifest.delegatedShare in 0.0..1.0)
        bundle.checkRequirements("executorch", "99.0", 99)
        bundle.checkRequirements("executorch", null, 99)
    }

    @Test
    fun `the folder's name is Python's`() {
        val manifest = bundle.manifest
        for ((alpha, text) in listOf(
            0.25 to "a0.25",
            1.0 to "a1",
            0.1234567 to "a0.123457",
            1e-5 to "a1e-05",
            1234567.0 to "a1.23457e+06",
        )) {
            assertEquals("mobilenet_v1-$text-r8-xnnpack_fp32-12dac8d6", manifest.copy(model = manifest.model.copy(alpha = alpha)).name)
        }
        val foreign = manifest.copy(model = manifest.model.copy(arch = null, alpha = null))
        assertEquals("module-r8-xnnpack_fp32-12dac8d6", foreign.name)
    }

    @Test
    fun `a bundle that this phone cannot run says what it needs`() {
        fun refused(
            bundle: ModelBundle = this.bundle,
            runtime: String = "executorch",
            version: String? = "1.4.1",
            apiLevel: Int = 34,
        ) = assertThrows(UnsupportedError::class.java) { bundle.checkRequirements(runtime, version, apiLevel) }.message!!
        assertEquals("${bundle.name} needs another runtime, got 'litert'; allowed: 'executorch'", refused(runtime = "litert"))
        val phone = refused(apiLevel = 1)
        assertTrue(phone, "needs a newer Android, got API level 1; allowed: '" in phone)
        val apple = refused(ModelBundle.open(File(ContractFiles.directory, "bundles/ios")))
        assertTrue(apple, apple.endsWith("is made for another system, got 'ios'; allowed: android. Export it with --target android"))
    }

    @Test
    fun `a bundle that was removed while it is in use says so`() {
        withFolder { folder ->
            val copy = File(folder, "bundle")
            bundle.directory.copyRecursively(copy)
            val opened = ModelBundle.open(copy)
            copy.deleteRecursively()
            for (read in listOf<() -> Any>(opened::readLabels, opened::readGoldenInput, opened::readGoldenOutput, opened::verifyFiles)) {
                val error = assertThrows(BundleError::class.java) { read() }
                assertTrue(error.message!!, error.message!!.endsWith("cannot be read any more. Add the bundle again"))
            }
        }
    }

    @Test
    fun `what is no bundle's folder is refused with the next step`() {
        withFolder { folder ->
            val zip = File(folder, "x.zip").apply { writeText("PK") }
            val error = assertThrows(BundleError::class.java) { ModelBundle.open(zip) }
            assertTrue(error.message!!, error.message!!.endsWith("A zipped bundle is added with BundleStore.add"))
            assertTrue(
                assertThrows(BundleError::class.java) { ModelBundle.open(File(folder, "none")) }.message!!.endsWith("See mobisdk export"),
            )
            assertTrue(assertThrows(BundleError::class.java) { ModelBundle.open(folder) }.message!!.startsWith("there is no manifest.json"))
        }
    }

    @Test
    fun `a program cut short is refused before it reaches the runtime`() {
        withFolder { folder ->
            val copy = File(folder, "bundle")
            bundle.directory.copyRecursively(copy)
            val model = File(copy, "model.pte")
            val whole = model.readBytes()
            model.writeBytes(whole.copyOf(whole.size - 1))
            val cut = assertThrows(BundleError::class.java) { ModelBundle.open(copy) }
            assertEquals("model.pte must have 64 bytes, got 63. Copy the bundle again, whole", cut.message)
            model.writeBytes(whole.also { it[5] = (it[5] + 1).toByte() })
            val damaged = assertThrows(BundleError::class.java) { ModelBundle.open(copy).verifyFiles() }
            assertEquals("model.pte is damaged: its SHA-256 is not the manifest's. Copy the bundle again", damaged.message)
        }
    }

    @Test
    fun `golden logits are compared by their largest error`() {
        val golden = bundle.readGoldenOutput()
        val tolerance = bundle.manifest.golden.tolerance
        assertEquals(GoldenCheck(true, 0.0, true), checkGolden(bundle, golden))
        val near = golden.copyOf().also { it[1] += (tolerance / 2).toFloat() }
        assertTrue(checkGolden(bundle, near).passed)
        val swapped = golden.reversedArray()
        assertEquals(false, checkGolden(bundle, swapped).top1Matches)
        val broken = golden.copyOf().also { it[0] = Float.NaN }
        assertEquals(GoldenCheck(false, null, checkGolden(bundle, broken).top1Matches), checkGolden(bundle, broken))
        val error = assertThrows(ParityError::class.java) { requireGolden(bundle, broken) }
        assertTrue(error.message!!, "got not a number; allowed: at most $tolerance. Nothing was measured" in error.message!!)
        assertThrows(ParityError::class.java) { checkGolden(bundle, FloatArray(3)) }
        assertArrayEquals(golden, bundle.readGoldenOutput(), 0f)
    }

    @Test
    fun `the likeliest classes come first, ties by their number`() {
        val found = topK(floatArrayOf(0f, 2f, 1f, 2f), count = 3)
        assertEquals(listOf(1, 3, 2), found.map { it.index })
        // e² / (1 + e + 2e²), by hand
        assertEquals(0.399, found[0].probability, 0.0005)
        assertEquals(listOf(0), topK(floatArrayOf(7f)).map { it.index })
        assertEquals(1.0, topK(floatArrayOf(7f))[0].probability, 0.0)
        assertEquals(1.0, topK(floatArrayOf(-3f, 80f, 9f)).sumOf { it.probability }, 1e-12)
    }
}
