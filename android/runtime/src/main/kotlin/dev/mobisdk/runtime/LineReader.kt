package dev.mobisdk.runtime

import java.io.BufferedInputStream
import java.io.ByteArrayOutputStream
import java.io.Closeable
import java.io.File
import java.io.FileInputStream

/** A line without its end. */
internal class Line(
    val content: ByteArray,
    val isFinished: Boolean,
)

/** Reads a file of lines one by one, from a byte on; a line past [LONGEST_LINE_BYTES] is cut there, so that it is none. */
internal class LineReader(
    file: File,
    start: Long = 0,
) : Closeable {
    private val stream = FileInputStream(file).apply { channel.position(start) }
    private val input = BufferedInputStream(stream, CHUNK_BYTES)

    /** The offset behind the last line that was given out. */
    var position = start
        private set

    /** Null at the end of the file. */
    fun next(): Line? {
        val content = ByteArrayOutputStream()
        var count = 0L
        while (true) {
            val byte = input.read()
            if (byte < 0 && count == 0L) return null
            count++
            if (byte == '\n'.code || byte < 0) {
                position += if (byte < 0) count - 1 else count
                return Line(content.toByteArray(), isFinished = byte >= 0)
            }
            if (content.size() <= LONGEST_LINE_BYTES) content.write(byte)
        }
    }

    override fun close() {
        input.close()
    }

    private companion object {
        const val CHUNK_BYTES = 64 * 1024
    }
}
