package dev.mobisdk.executorch

import dev.mobisdk.runtime.ArgbImage
import dev.mobisdk.runtime.BundleError
import dev.mobisdk.runtime.ConfigError
import dev.mobisdk.runtime.DeviceError
import dev.mobisdk.runtime.ModelBundle
import dev.mobisdk.runtime.PlacementSource
import dev.mobisdk.runtime.RuntimeInfo
import dev.mobisdk.runtime.UnsupportedError
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pytorch.executorch.Tensor
import java.io.File
import kotlin.math.exp

class ExecuTorchClassifierTest {
    @Test
    fun `forward writes the program's logits into the given array`() {
        val classifier = classifierOf()
        classifier.load()
        classifier.prepare(ByteArray(8 * 8 * 3))
        val logits = FloatArray(2)
        repeat(2) { classifier.forward(logits) }
        assertArrayEquals(floatArrayOf(1f, 3f), logits, 0f)
    }

    @Test
    fun `logits of half precision are read`() {
        val halves = Tensor.allocateHalfBuffer(2).apply { put(0x3C00).put(0xC100.toShort()) } // 1.0 and -2.5 in IEEE 754
        val classifier = classifierOf(FakeProgram(Tensor.fromBlob(halves, longArrayOf(1, 2))))
        classifier.load()
        val logits = FloatArray(2)
        classifier.forward(logits)
        assertArrayEquals(floatArrayOf(1f, -2.5f), logits, 0f)
    }

    @Test
    fun `another number of logits than classes is refused`() {
        val classifier = classifierOf(FakeProgram(Tensor.fromBlob(FloatArray(3), longArrayOf(1, 3))))
        classifier.load()
        val error = assertThrows(BundleError::class.java) { classifier.forward(FloatArray(2)) }
        assertTrue(error.message!!, "got 3; allowed: 2" in error.message!!)
    }

    @Test
    fun `classify is three lines, with labels and the softmax of the logits`() {
        val program = FakeProgram()
        val classifier = classifierOf(program)
        val predictions = classifier.classify(ArgbImage(IntArray(16 * 12) { 0xFFFF8000.toInt() }, 16, 12))
        val labels = openContractBundle().readLabels()
        assertEquals(listOf(labels[1], labels[0]), predictions.map { it.label })
        assertEquals(1 / (1 + exp(-2.0)), predictions[0].probability, 1e-6)
        val area = 8 * 8
        assertArrayEquals(FloatArray(area) { 1f }, program.inputs[0].copyOf(area), 0f)
        assertArrayEquals(FloatArray(area) { 128 / 255f }, program.inputs[0].copyOfRange(area, 2 * area), 0f)
        assertArrayEquals(FloatArray(area), program.inputs[0].copyOfRange(2 * area, 3 * area), 0f)
    }

    @Test
    fun `a phone that is older than the recipe needs is refused before anything is loaded`() {
        val error = assertThrows(UnsupportedError::class.java) { classifierOf(apiLevel = 22) }
        assertTrue(error.message!!, "got API level 22" in error.message!!)
    }

    @Test
    fun `a bundle of iOS is refused`() {
        val bundle = ModelBundle.open(File(contractFolder, "bundles/ios"))
        val error = assertThrows(UnsupportedError::class.java) { classifierOf(bundle = bundle) }
        assertTrue(error.message!!, "--target android" in error.message!!)
    }

    @Test
    fun `a program that is cut is the bundle's fault, a memory that is full the phone's`() {
        for ((isProgramAtFault, type) in listOf(true to BundleError::class.java, false to DeviceError::class.java)) {
            val failure = ProgramFailure("[ExecuTorch Error 0x23] Invalid program", isProgramAtFault, Exception())
            val classifier = ExecuTorchClassifier(openContractBundle(), 1, ThreadCount(), 34) { _, _ -> throw failure }
            val error = assertThrows(type) { classifier.load() }
            assertSame(failure, error.cause)
            assertTrue(error.message!!, "ExecuTorch $EXECUTORCH_VERSION cannot load mobilenet_v1-a0.25-r8" in error.message!!)
        }
    }

    @Test
    fun `placement is the method's own backends with the shares of the manifest`() {
        fun placementWith(backends: List<String>) =
            classifierOf(FakeProgram(backends = backends)).run {
                load()
                close()
                readPlacement()
            }
        assertEquals(mapOf("xnnpack" to 1.0, "portable" to 0.0), placementWith(listOf("XnnpackBackend")).share)
        assertEquals(mapOf("portable" to 1.0), placementWith(emptyList()).share)
        assertEquals(PlacementSource.NONE, placementWith(listOf("VulkanBackend")).source)
        assertEquals(PlacementSource.NONE, classifierOf().readPlacement().source)
    }

    @Test
    fun `close frees the program once`() {
        val program = FakeProgram()
        val classifier = classifierOf(program)
        classifier.load()
        repeat(2) { classifier.close() }
        assertTrue(program.isClosed)
        assertThrows(ConfigError::class.java) { classifier.forward(FloatArray(2)) }
    }

    @Test
    fun `a process has one thread count`() {
        val processThreads = ThreadCount()
        classifierOf(threads = 2, processThreads = processThreads).load()
        classifierOf(threads = 2, processThreads = processThreads).load()
        val error = assertThrows(ConfigError::class.java) { classifierOf(threads = 4, processThreads = processThreads).load() }
        assertTrue(error.message!!, "got 4; allowed: 2. Quit the app" in error.message!!)
        val follower = classifierOf(threads = null, processThreads = processThreads)
        follower.load()
        assertEquals(2, follower.runtime.threads)
    }

    @Test
    fun `a count that nobody asked for is the runtime's own, and not known`() {
        val asked = ArrayList<Int>()
        val program = FakeProgram()
        val classifier =
            ExecuTorchClassifier(openContractBundle(), null, ThreadCount(), 34) { _, threads ->
                asked.add(threads)
                program
            }
        classifier.load()
        assertEquals(listOf(0), asked)
        assertEquals(null, classifier.runtime.threads)
    }

    @Test
    fun `the log says what ran`() {
        assertEquals(RuntimeInfo("executorch", EXECUTORCH_VERSION, "xnnpack", null, 3), classifierOf(threads = 3).runtime)
    }
}
