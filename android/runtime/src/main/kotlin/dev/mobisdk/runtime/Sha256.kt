package dev.mobisdk.runtime

import java.io.InputStream
import java.security.MessageDigest

private const val CHUNK_BYTES = 64 * 1024
private const val DIGITS = "0123456789abcdef"

internal fun sha256Hex(content: ByteArray): String = MessageDigest.getInstance("SHA-256").digest(content).toHex()

/** Hashes what is left of the stream and closes it. */
internal fun sha256Hex(stream: InputStream): String {
    val digest = MessageDigest.getInstance("SHA-256")
    val chunk = ByteArray(CHUNK_BYTES)
    stream.use {
        while (true) {
            val count = it.read(chunk)
            if (count < 0) break
            digest.update(chunk, 0, count)
        }
    }
    return digest.digest().toHex()
}

internal fun ByteArray.toHex(): String =
    buildString(2 * size) {
        for (byte in this@toHex) append(DIGITS[(byte.toInt() shr 4) and 0xF]).append(DIGITS[byte.toInt() and 0xF])
    }
