package dev.mobisdk.executorch

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ColorSpace
import android.media.ExifInterface
import dev.mobisdk.runtime.ArgbImage
import dev.mobisdk.runtime.DataError
import dev.mobisdk.runtime.DeviceError
import java.io.IOException
import java.io.InputStream

/** More pixels are decoded smaller: 16 million take 128 MB while they are decoded. */
private const val MOST_PIXELS = 16_000_000L

/** This bitmap's pixels as they are, taken to stand upright. */
public fun Bitmap.toArgbImage(): ArgbImage = toArgbImage(ExifInterface.ORIENTATION_NORMAL)

private fun Bitmap.toArgbImage(orientation: Int): ArgbImage {
    // A bitmap in the graphics memory has no pixels to read; Config.HARDWARE is of API level 26.
    val readable = if (config?.name == "HARDWARE") copy(Bitmap.Config.ARGB_8888, false) else this
    val pixels = IntArray(readable.width * readable.height)
    readable.getPixels(pixels, 0, readable.width, 0, 0, readable.width, readable.height)
    return ArgbImage(pixels, readable.width, readable.height, orientation)
}

/**
 * Decodes a photograph into sRGB, with its EXIF orientation; one of more than 16 million pixels is decoded smaller.
 *
 * @param open gives the file from its start, each time it is called.
 * @throws DataError it is not an image that this phone reads.
 * @throws DeviceError there is not enough memory for it.
 */
public fun decodePhoto(open: () -> InputStream): ArgbImage {
    try {
        val bounds = BitmapFactory.Options()
        bounds.inJustDecodeBounds = true
        open().use { BitmapFactory.decodeStream(it, null, bounds) }
        if (bounds.outWidth <= 0 || bounds.outHeight <= 0) throw notAnImage()
        val options = BitmapFactory.Options()
        options.inSampleSize = sampleSizeOf(bounds.outWidth, bounds.outHeight)
        options.inPremultiplied = false
        options.inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
        val bitmap = open().use { BitmapFactory.decodeStream(it, null, options) } ?: throw notAnImage()
        try {
            return bitmap.toArgbImage(readOrientation(open))
        } finally {
            bitmap.recycle()
        }
    } catch (exc: IOException) {
        throw DataError("the photo cannot be read: ${exc.message}", hint = "Choose another one", cause = exc)
    } catch (exc: OutOfMemoryError) {
        throw DeviceError("there is not enough memory for this photo", hint = "Close other apps, or choose a smaller one", cause = exc)
    }
}

private fun readOrientation(open: () -> InputStream): Int =
    try {
        val orientation = open().use { ExifInterface(it) }.getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL)
        if (orientation in 1..8) orientation else ExifInterface.ORIENTATION_NORMAL
    } catch (_: IOException) {
        ExifInterface.ORIENTATION_NORMAL // a kind of file that holds none
    }

private fun notAnImage() = DataError("this file is not an image that this phone reads", hint = "Choose a JPEG, PNG, WebP or HEIF")

/** By how much each side is divided, a power of two as the decoder takes it, so that no more than 16 million pixels are left. */
internal fun sampleSizeOf(
    width: Int,
    height: Int,
): Int {
    var size = 1
    while ((width / size).toLong() * (height / size) > MOST_PIXELS) size *= 2
    return size
}
