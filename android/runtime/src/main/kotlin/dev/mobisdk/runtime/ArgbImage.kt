package dev.mobisdk.runtime

private const val LARGEST_SIDE = 65_535
private const val LARGEST_PIXELS = 200_000_000L
private const val FIRST_TRANSPOSED = 5

/**
 * A photograph as a decoder gives it: sRGB, straight alpha, rows from the top, one `0xAARRGGBB` a pixel, as Android's
 * `Bitmap.getPixels` writes it. The pixels are not copied.
 *
 * @property pixels at least [width] × [height] of them.
 * @property width columns as they are stored.
 * @property height rows as they are stored.
 * @property orientation EXIF, 1 to 8: how the stored pixels are turned upright.
 * @throws DataError a side or the orientation is out of range, or there are too few pixels.
 */
public class ArgbImage(
    public val pixels: IntArray,
    public val width: Int,
    public val height: Int,
    public val orientation: Int = 1,
) {
    init {
        if (width !in 1..LARGEST_SIDE || height !in 1..LARGEST_SIDE) {
            throw DataError("an image's sides are out of range", got = "$width×$height", allowed = "1 to $LARGEST_SIDE")
        }
        val count = width.toLong() * height
        if (count > LARGEST_PIXELS) {
            val hint = "Decode it smaller"
            throw DataError("an image is too large", got = "$width×$height", allowed = "at most $LARGEST_PIXELS pixels", hint = hint)
        }
        if (pixels.size < count) throw DataError("an image lacks pixels", got = "${pixels.size}", allowed = "$count")
        if (orientation !in 1..8) throw DataError("EXIF orientation is unknown", got = "$orientation", allowed = "1 to 8")
    }

    /** Its size once it is turned upright. */
    public val uprightSize: SourceImage
        get() = if (orientation >= FIRST_TRANSPOSED) SourceImage(height, width) else SourceImage(width, height)
}
