package dev.mobisdk.executorch

import dev.mobisdk.runtime.BundleError
import dev.mobisdk.runtime.DataError
import dev.mobisdk.runtime.ModelInput
import dev.mobisdk.runtime.Preprocess
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.pytorch.executorch.DType

class TensorInputTest {
    private fun inputOf(
        dtype: String = "float32",
        kind: String = "tensor",
    ) = ModelInput("image", kind, listOf(1, 3, 16, 16), dtype, Preprocess(16, 16))

    /** Every value of a byte once in each channel: red rising, green falling, blue a stride of 3. */
    private val pixels =
        ByteArray(16 * 16 * 3) {
            val place = it / 3
            listOf(place, 255 - place, place * 3 and 0xFF)[it % 3].toByte()
        }

    @Test
    fun `bytes become planes of floats in 0 to 1`() {
        val input = TensorInput.of(inputOf())
        input.write(ByteArray(pixels.size))
        input.write(pixels)
        val planes = input.tensor.dataAsFloatArray
        for (place in 0 until 256) {
            assertEquals(place / 255f, planes[place], 0f)
            assertEquals((255 - place) / 255f, planes[256 + place], 0f)
            assertEquals((place * 3 and 0xFF) / 255f, planes[512 + place], 0f)
        }
        assertArrayEquals(longArrayOf(1, 3, 16, 16), input.tensor.shape())
    }

    @Test
    fun `bytes stay bytes where the artefact takes them`() {
        val input = TensorInput.of(inputOf("uint8"))
        input.write(pixels)
        assertEquals(DType.UINT8, input.tensor.dtype())
        val planes = input.tensor.dataAsUnsignedByteArray
        for (place in 0 until 256) assertEquals(place.toByte(), planes[place])
        for (place in 0 until 256) assertEquals((255 - place).toByte(), planes[256 + place])
    }

    @Test
    fun `what an Android phone cannot make is refused`() {
        assertThrows(BundleError::class.java) { TensorInput.of(inputOf("int64")) }
        assertThrows(BundleError::class.java) { TensorInput.of(inputOf(kind = "image")) }
        assertThrows(DataError::class.java) { TensorInput.of(inputOf()).write(ByteArray(12)) }
    }
}
