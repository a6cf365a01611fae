package dev.mobisdk.runtime

import java.io.ByteArrayOutputStream
import java.io.InputStream

private const val CHUNK_BYTES = 16 * 1024

/** Reads to the end, or to [most] bytes: a stream of others may have no end. */
internal fun InputStream.readAtMost(most: Int): ByteArray {
    val content = ByteArrayOutputStream()
    val chunk = ByteArray(CHUNK_BYTES)
    while (content.size() < most) {
        val count = read(chunk, 0, minOf(chunk.size, most - content.size()))
        if (count < 0) break
        content.write(chunk, 0, count)
    }
    return content.toByteArray()
}
