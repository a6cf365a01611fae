package dev.mobisdk.runtime

private const val CHANNELS = 3
private const val LARGEST_COLOUR = 255
private const val OPAQUE = 0xFF

/**
 * From a photograph to the bytes that a network takes (contract 3): turned upright, alpha over black, the shorter side
 * resized with an antialiased triangle filter, the centre cut out. Whole numbers until one rounding, so that the bytes
 * are Python's.
 *
 * It is made for one size of photograph, used by one thread at a time, and [process] allocates nothing.
 *
 * @param input what the artefact takes.
 * @param width columns of the photographs, as they are stored.
 * @param height their rows.
 * @param orientation EXIF, 1 to 8.
 * @throws BundleError the manifest's sizes contradict each other.
 */
public class Preprocessor(
    input: ModelInput,
    private val width: Int,
    private val height: Int,
    private val orientation: Int = 1,
) {
    private val crop = input.preprocess.crop

    init {
        val resize = input.preprocess.resize
        if (crop > resize || input.shape[2] != crop || input.shape[3] != crop) {
            throw BundleError(
                "the manifest's sizes contradict each other",
                got = "resize $resize, crop $crop, shape ${input.shape}",
                allowed = "crop at most resize, and the height and width",
            )
        }
    }

    private val isTransposed = orientation >= 5
    private val down = ResizeAxis(height, minOf(width, height), input.preprocess.resize, crop, orientation in MIRROR_ROWS)
    private val across = ResizeAxis(width, minOf(width, height), input.preprocess.resize, crop, orientation in MIRROR_COLUMNS)
    private val columns = across.end - across.first
    private val partial = Array(CHANNELS) { IntArray(columns) }
    private val sums = Array(CHANNELS) { LongArray(columns) }
    private val overBlack = IntArray(columns)
    private val fitsLong =
        down.totals.max().toDouble() * across.totals.max() * LARGEST_COLOUR < Long.MAX_VALUE / 2

    /** Bytes that [process] writes: crop × crop × 3. */
    public val outputBytes: Int = crop * crop * CHANNELS

    /**
     * Writes rows of R, G, B from the top, crop × crop × 3 bytes.
     *
     * @throws DataError the image is of another size or orientation than this was made for, or [output] is too small.
     */
    public fun process(
        image: ArgbImage,
        output: ByteArray,
    ) {
        if (image.width != width || image.height != height || image.orientation != orientation) {
            throw DataError(
                "a Preprocessor takes photographs of one size",
                got = "${image.width}×${image.height}, orientation ${image.orientation}",
                allowed = "$width×$height, orientation $orientation",
            )
        }
        if (output.size < outputBytes) throw DataError("the output is too small", got = "${output.size}", allowed = "$outputBytes bytes")
        for (place in 0 until crop) {
            sumRows(image.pixels, place)
            for (channel in 0 until CHANNELS) {
                if (fitsLong) writeLine(place, channel, output) else writeLineInDoubles(place, channel, output)
            }
        }
    }

    /** Sums the rows of one output by their weights. In 32 bits, which processors do by eight; moved to 64 in time. */
    private fun sumRows(
        pixels: IntArray,
        place: Int,
    ) {
        for (channel in 0 until CHANNELS) sums[channel].fill(0)
        val weights = down.weights[place]
        var held = 0L
        for (index in weights.indices) {
            val weight = weights[index]
            held += weight
            if (held * LARGEST_COLOUR > Int.MAX_VALUE) {
                movePartialSums()
                held = weight.toLong()
            }
            val start = (down.starts[place] + index) * width + across.first
            if (isOpaque(pixels, start)) {
                addRow(pixels, start, weight)
            } else {
                blendOverBlack(pixels, start)
                addRow(overBlack, 0, weight)
            }
        }
        movePartialSums()
    }

    private fun addRow(
        pixels: IntArray,
        start: Int,
        weight: Int,
    ) {
        val (red, green, blue) = partial
        for (column in 0 until columns) {
            val pixel = pixels[start + column]
            red[column] += weight * ((pixel shr 16) and 0xFF)
            green[column] += weight * ((pixel shr 8) and 0xFF)
            blue[column] += weight * (pixel and 0xFF)
        }
    }

    private fun movePartialSums() {
        for (channel in 0 until CHANNELS) {
            val from = partial[channel]
            val to = sums[channel]
            for (column in 0 until columns) to[column] += from[column].toLong()
            from.fill(0)
        }
    }

    private fun isOpaque(
        pixels: IntArray,
        start: Int,
    ): Boolean {
        var all = -1
        for (column in 0 until columns) all = all and pixels[start + column]
        return all ushr 24 == OPAQUE
    }

    private fun blendOverBlack(
        pixels: IntArray,
        start: Int,
    ) {
        for (column in 0 until columns) {
            val pixel = pixels[start + column]
            val alpha = pixel ushr 24
            val red = (((pixel shr 16) and 0xFF) * alpha + 127) / 255
            val green = (((pixel shr 8) and 0xFF) * alpha + 127) / 255
            val blue = ((pixel and 0xFF) * alpha + 127) / 255
            overBlack[column] = (red shl 16) or (green shl 8) or blue
        }
    }

    private fun writeLine(
        place: Int,
        channel: Int,
        output: ByteArray,
    ) {
        val line = sums[channel]
        for (other in 0 until crop) {
            val weights = across.weights[other]
            val start = across.starts[other] - across.first
            var sum = 0L
            for (index in weights.indices) sum += weights[index] * line[start + index]
            val total = down.totals[place] * across.totals[other]
            output[offsetOf(place, other) + channel] = ((sum + total / 2) / total).toByte()
        }
    }

    /** For sizes below 32 made of huge photographs, whose sums do not fit into 64 bits: to within 1, as the contract allows. */
    private fun writeLineInDoubles(
        place: Int,
        channel: Int,
        output: ByteArray,
    ) {
        val line = sums[channel]
        for (other in 0 until crop) {
            val weights = across.weights[other]
            val start = across.starts[other] - across.first
            var sum = 0.0
            for (index in weights.indices) sum += weights[index].toDouble() * line[start + index]
            val total = down.totals[place].toDouble() * across.totals[other]
            output[offsetOf(place, other) + channel] = Math.floor((sum + Math.floor(total / 2)) / total).toInt().toByte()
        }
    }

    /** Where the output of a place down and one across the stored image lies in the upright one. */
    private fun offsetOf(
        down: Int,
        across: Int,
    ): Int = CHANNELS * if (isTransposed) across * crop + down else down * crop + across

    private companion object {
        /** Orientations whose upright image runs against the stored rows, or columns: step 1 of the contract. */
        val MIRROR_ROWS = listOf(3, 4, 6, 7)
        val MIRROR_COLUMNS = listOf(2, 3, 7, 8)
    }
}
