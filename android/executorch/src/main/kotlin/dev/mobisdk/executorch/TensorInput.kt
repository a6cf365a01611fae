package dev.mobisdk.executorch

import dev.mobisdk.runtime.BundleError
import dev.mobisdk.runtime.DataError
import dev.mobisdk.runtime.ModelInput
import org.pytorch.executorch.Tensor

private const val CHANNELS = 3
private const val VALUES = 256
private const val LARGEST = 255f

/** The artefact's input, kept and overwritten: (1,3,H,W) planes of R, G and B, of H × W × 3 bytes. */
internal sealed class TensorInput(
    shape: List<Int>,
) {
    protected val area: Int = shape[2] * shape[3]
    protected val shape: LongArray = LongArray(shape.size) { shape[it].toLong() }
    private val count = area * CHANNELS

    abstract val tensor: Tensor

    /** Allocates nothing. */
    fun write(pixels: ByteArray) {
        if (pixels.size !=
            count
        ) {
            throw DataError("an image has another size than the input", got = "${pixels.size}", allowed = "$count bytes")
        }
        writePlanes(pixels)
    }

    protected abstract fun writePlanes(pixels: ByteArray)

    /** float32 in 0 to 1. */
    private class Floats(
        shape: List<Int>,
    ) : TensorInput(shape) {
        private val planes = FloatArray(area * CHANNELS)
        private val buffer = Tensor.allocateFloatBuffer(planes.size)
        private val unit = FloatArray(VALUES) { it / LARGEST }
        override val tensor: Tensor = Tensor.fromBlob(buffer, this.shape)

        override fun writePlanes(pixels: ByteArray) {
            var from = 0
            for (place in 0 until area) {
                planes[place] = unit[pixels[from].toInt() and 0xFF]
                planes[area + place] = unit[pixels[from + 1].toInt() and 0xFF]
                planes[2 * area + place] = unit[pixels[from + 2].toInt() and 0xFF]
                from += CHANNELS
            }
            buffer.clear()
            buffer.put(planes)
        }
    }

    /** The bytes themselves. */
    private class Bytes(
        shape: List<Int>,
    ) : TensorInput(shape) {
        private val planes = ByteArray(area * CHANNELS)
        private val buffer = Tensor.allocateByteBuffer(planes.size)
        override val tensor: Tensor = Tensor.fromBlobUnsigned(buffer, this.shape)

        override fun writePlanes(pixels: ByteArray) {
            var from = 0
            for (place in 0 until area) {
                planes[place] = pixels[from]
                planes[area + place] = pixels[from + 1]
                planes[2 * area + place] = pixels[from + 2]
                from += CHANNELS
            }
            buffer.clear()
            buffer.put(planes)
        }
    }

    companion object {
        fun of(input: ModelInput): TensorInput {
            if (input.kind != "tensor") {
                throw BundleError("ExecuTorch takes tensors", got = "an input of kind ${input.kind}", allowed = "tensor")
            }
            return when (input.dtype) {
                "float32" -> Floats(input.shape)

                "uint8" -> Bytes(input.shape)

                else -> throw BundleError(
                    "the input's numbers are of a kind that this app cannot make",
                    got = input.dtype,
                    allowed = "float32, uint8",
                )
            }
        }
    }
}
