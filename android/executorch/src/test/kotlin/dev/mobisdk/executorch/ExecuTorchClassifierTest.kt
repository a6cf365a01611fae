package dev.mobisdk.executorch

import dev.mobisdk.runtime.ArgbImage
import dev.mobisdk.runtime.BundleError
import dev.mobisdk.runtime.ConfigError
import dev.mobisdk.runtime.DeviceError
import dev.mobisdk.runtime.Mode
import dev.mobisdk.runtime.ModelBundle
import dev.mobisdk.runtime.PlacementSource
import dev.mobisdk.runtime.ProductionLog
import dev.mobisdk.runtime.RuntimeInfo
import dev.mobisdk.runtime.UnsupportedError
import dev.mobisdk.runtime.parseLatencyRun
import dev.mobisdk.runtime.topK
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertSame
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pytorch.executorch.Tensor
import java.io.File
import java.nio.file.Files
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
        val predictions = classifier.classify(ArgbImage(IntArray(16 * 12) { 0xFFFF8000.toInt() }, 16, 12)).predictions
        val labels = openContractBundle().readLabels()
        assertEquals(listOf(labels[1], labels[0]), predictions.map { it.label })
        assertEquals(1 / (1 + exp(-2.0)), predictions[0].probability, 1e-6)
        val area = 8 * 8
        assertArrayEquals(FloatArray(area) { 1f }, program.inputs[0].copyOf(area), 0f)
        assertArrayEquals(FloatArray(area) { 128 / 255f }, program.inputs[0].copyOfRange(area, 2 * area), 0f)
        assertArrayEquals(FloatArray(area), program.inputs[0].copyOfRange(2 * area, 3 * area), 0f)
    }

    @Test
    fun `what is softmax already is not softmaxed again`() {
        val shares = floatArrayOf(0.25f, 0.75f, 0f)
        undoSoftmax(shares)
        val predictions = topK(shares, 3)
        assertEquals(listOf(1, 0, 2), predictions.map { it.index })
        for ((expected, prediction) in listOf(0.75, 0.25, 0.0).zip(predictions)) assertEquals(expected, prediction.probability, 1e-7)
    }

    private val photo = ArgbImage(IntArray(16 * 12) { 0xFF808080.toInt() }, 16, 12)

    @Test
    fun `classifications are logged in production only where the app asked for it`() {
        val folder = Files.createTempDirectory("mobisdk-test").toFile()
        try {
            val file = File(folder, "production.jsonl")
            classifierOf().classify(photo)
            classifierOf(productionLog = ProductionLog(file, share = 0.0, FixedFacts)).classify(photo)
            assertFalse(file.exists())
            val log = ProductionLog(file, share = 1.0, FixedFacts)
            val classifier = classifierOf(productionLog = log)
            val times = List(2) { classifier.classify(photo).times }
            val deadline = System.nanoTime() + 10_000_000_000
            while (!file.exists() || file.readLines().size < 2) assertTrue(System.nanoTime() < deadline).also { Thread.yield() }
            log.handOver { content ->
                val runs = String(content).trim().lines().map { parseLatencyRun(it.toByteArray()) }
                assertEquals(times.map { it.inferenceNs }, runs.map { it.inferenceNs.single() })
                assertEquals(listOf(Mode.PRODUCTION, Mode.PRODUCTION), runs.map { it.mode })
                assertEquals(listOf(null, null), runs.map { it.notes })
            }
            assertFalse(file.exists())
        } finally {
            folder.deleteRecursively()
        }
    }

    @Test
    fun `a photograph of another size is prepared anew`() {
        val program = FakeProgram()
        val classifier = classifierOf(program)
        for (size in listOf(16 to 12, 9 to 30, 16 to 12)) {
            classifier.classify(ArgbImage(IntArray(size.first * size.second) { 0xFF204060.toInt() }, size.first, size.second))
        }
        assertEquals(
            1,
            program.inputs
                .map { it.toList() }
                .toSet()
                .size,
        )
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
            val classifier = ExecuTorchClassifier(openContractBundle(), 1, null, ThreadCount(), 34) { _, _ -> throw failure }
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
            ExecuTorchClassifier(openContractBundle(), null, null, ThreadCount(), 34) { _, threads ->
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
