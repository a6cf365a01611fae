package dev.mobisdk.runtime

import com.sun.management.ThreadMXBean
import org.junit.Assert.assertTrue
import org.junit.Test
import java.lang.management.ManagementFactory

class PreprocessorSpeed {
    private val input = ModelInput("input", "tensor", listOf(1, 3, 224, 224), "float32", Preprocess(256, 224))

    @Test
    fun `a photograph of twelve megapixels takes at most 60 ms, and allocates nothing`() {
        for (orientation in listOf(1, 6)) {
            val image = ArgbImage(IntArray(4000 * 3000) { (it * 2_654_435) or (0xFF shl 24) }, 4000, 3000, orientation)
            val preprocessor = Preprocessor(input, 4000, 3000, orientation)
            val output = ByteArray(preprocessor.outputBytes)
            repeat(20) { preprocessor.process(image, output) }
            val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
            val before = threads.getThreadAllocatedBytes(Thread.currentThread().id)
            // Processor time: others use this computer too.
            val times =
                LongArray(25) {
                    val begun = threads.currentThreadCpuTime
                    preprocessor.process(image, output)
                    threads.currentThreadCpuTime - begun
                }
            val allocated = threads.getThreadAllocatedBytes(Thread.currentThread().id) - before
            times.sort()
            println("4000×3000 to 224, orientation $orientation: fastest ${times[0] / 1000} µs, median ${times[12] / 1000} µs")
            assertTrue("$allocated bytes", allocated < 2000)
            assertTrue("${times[0]} ns", times[0] <= 60_000_000)
        }
    }
}
