package dev.mobisdk.runtime

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File

class PreprocessorTest {
    private val table = ContractFiles.json("preprocess/vectors.json")

    @Test
    fun `every vector of the contract comes out as Python's, to the byte`() {
        val vectors = table["vectors"].items
        assertTrue(vectors.size >= 30)
        for (vector in vectors) {
            val image = readImage(vector["input"].string, vector["width"].int, vector["height"].int, vector["orientation"].int)
            val crop = vector["crop"].int
            val output = ByteArray(crop * crop * 3)
            preprocessorOf(image, vector["resize"].int, crop).process(image, output)
            val expected = File(ContractFiles.directory, "preprocess/" + vector["output"].string).readBytes()
            assertEquals(expected.size, output.size)
            val worst = output.indices.maxOf { Math.abs((output[it].toInt() and 0xFF) - (expected[it].toInt() and 0xFF)) }
            assertEquals("${vector["name"]}", 0, worst)
        }
    }

    @Test
    fun `a preprocessor gives the same bytes again`() {
        val image = ArgbImage(IntArray(64 * 48) { it * 2_654_435 or (0xFF shl 24) }, 64, 48)
        val preprocessor = preprocessorOf(image, 36, 32)
        val first = ByteArray(preprocessor.outputBytes)
        val second = ByteArray(preprocessor.outputBytes) { 1 }
        preprocessor.process(image, first)
        preprocessor.process(image, second)
        assertTrue(first.contentEquals(second))
    }

    @Test
    fun `sums that do not fit into 64 bits come out to within 1`() {
        // One colour stays that colour, whatever its weights; from 9,464 pixels on, a side of 1 needs more than 64 bits.
        val image = ArgbImage(IntArray(9_500 * 9_500) { 0xFF336699.toInt() }, 9_500, 9_500)
        val output = ByteArray(3)
        preprocessorOf(image, 1, 1).process(image, output)
        assertEquals(listOf(0x33, 0x66, 0x99), output.map { it.toInt() and 0xFF })
    }

    @Test
    fun `an image of another size is refused`() {
        val image = ArgbImage(IntArray(6), 3, 2)
        val preprocessor = preprocessorOf(image, 2, 2)
        for (other in listOf(ArgbImage(IntArray(6), 2, 3), ArgbImage(IntArray(6), 3, 2, orientation = 3))) {
            val error = assertThrows(DataError::class.java) { preprocessor.process(other, ByteArray(12)) }
            assertTrue(error.message!!, "allowed: 3×2, orientation 1" in error.message!!)
        }
        val error = assertThrows(DataError::class.java) { preprocessor.process(image, ByteArray(11)) }
        assertEquals("the output is too small, got 11; allowed: 12 bytes", error.message)
    }

    @Test
    fun `sizes that contradict each other are refused`() {
        val input = modelInput(8, 8)
        val error =
            assertThrows(BundleError::class.java) { Preprocessor(input.copy(preprocess = Preprocess(resize = 4, crop = 8)), 9, 9) }
        assertTrue(error.message!!, error.message!!.startsWith("the manifest's sizes contradict each other, got resize 4, crop 8"))
    }

    @Test
    fun `an image that cannot be one is refused in a sentence`() {
        fun refused(
            width: Int,
            height: Int,
            pixels: Int,
            orientation: Int = 1,
        ) = assertThrows(DataError::class.java) { ArgbImage(IntArray(pixels), width, height, orientation) }.message
        assertEquals("an image's sides are out of range, got 0×4; allowed: 1 to 65535", refused(0, 4, 4))
        assertEquals("an image's sides are out of range, got 4×65536; allowed: 1 to 65535", refused(4, 65_536, 4))
        assertEquals(
            "an image is too large, got 20000×10001; allowed: at most 200000000 pixels. Decode it smaller",
            refused(20_000, 10_001, 1),
        )
        assertEquals("an image lacks pixels, got 5; allowed: 6", refused(3, 2, 5))
        assertEquals("EXIF orientation is unknown, got 9; allowed: 1 to 8", refused(3, 2, 6, orientation = 9))
    }

    private fun preprocessorOf(
        image: ArgbImage,
        resize: Int,
        crop: Int,
    ) = Preprocessor(modelInput(resize, crop), image.width, image.height, image.orientation)

    private fun modelInput(
        resize: Int,
        crop: Int,
    ) = ModelInput("input", "tensor", listOf(1, 3, crop, crop), "float32", Preprocess(resize, crop))

    private fun readImage(
        name: String,
        width: Int,
        height: Int,
        orientation: Int,
    ): ArgbImage {
        val bytes = File(ContractFiles.directory, "preprocess/$name").readBytes()
        val pixels =
            IntArray(width * height) { index ->
                val (red, green, blue, alpha) = List(4) { bytes[4 * index + it].toInt() and 0xFF }
                (alpha shl 24) or (red shl 16) or (green shl 8) or blue
            }
        return ArgbImage(pixels, width, height, orientation)
    }
}
