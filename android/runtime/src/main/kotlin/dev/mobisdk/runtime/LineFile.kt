package dev.mobisdk.runtime

import java.io.File
import java.io.IOException
import java.io.RandomAccessFile

/** Writes bytes where the file stands; a test's may fail in the middle. */
internal fun interface LineWriter {
    fun write(
        file: RandomAccessFile,
        content: ByteArray,
    )
}

/** A file of lines that only grows, and that a kill can leave in the middle of its last line. */
internal class LineFile(
    val file: File,
    private val writer: LineWriter = LineWriter { file, content -> file.write(content) },
) {
    /**
     * Adds a line; if a kill left the last one unfinished, that one is ended first, so that this one is whole.
     *
     * @throws DeviceError the phone has no space; the file is as it was then.
     */
    @Synchronized
    fun append(
        line: String,
        synchronizing: Boolean,
    ) {
        try {
            file.absoluteFile.parentFile?.mkdirs()
            RandomAccessFile(file, "rw").use { append(it, line, synchronizing) }
        } catch (exc: IOException) {
            val hint = "Free some space and run it again"
            throw DeviceError("${file.name} cannot be written: ${exc.message}", hint = hint, cause = exc)
        }
    }

    private fun append(
        open: RandomAccessFile,
        line: String,
        synchronizing: Boolean,
    ) {
        val end = open.length()
        try {
            val start = if (isUnfinished(open, end)) "\n" else ""
            open.seek(end)
            writer.write(open, (start + line + "\n").toByteArray())
            if (synchronizing) open.fd.sync()
        } catch (exc: IOException) {
            open.setLength(end)
            throw exc
        }
    }

    private fun isUnfinished(
        open: RandomAccessFile,
        end: Long,
    ): Boolean {
        if (end == 0L) return false
        open.seek(end - 1)
        return open.read() != '\n'.code
    }
}
