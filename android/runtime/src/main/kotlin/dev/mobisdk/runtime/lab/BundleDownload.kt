package dev.mobisdk.runtime.lab

import dev.mobisdk.runtime.BundleListing
import dev.mobisdk.runtime.FileEntry
import dev.mobisdk.runtime.LARGEST_MANIFEST_BYTES
import dev.mobisdk.runtime.MANIFEST_NAME
import dev.mobisdk.runtime.Manifest
import dev.mobisdk.runtime.ServerError
import dev.mobisdk.runtime.parseManifest
import dev.mobisdk.runtime.sha256Hex
import dev.mobisdk.runtime.shown
import java.io.File
import java.io.IOException
import java.io.RandomAccessFile

private const val MOST_RESTARTS = 3
private const val CHUNK_BYTES = 64 * 1024

/** Fetches one bundle, file by file, into a folder of its own; what a broken transfer left is gone on with. */
internal class BundleDownload(
    private val client: LabClient,
    private val retry: RetryPolicy,
    private val bundleId: String,
    private val folder: File,
) {
    /** What came of this file is worthless. */
    private class Restart(
        val reason: String,
    ) : Exception(reason)

    /** Returns when every byte is there and right; throws [LabRefusal] and `MobiError`. */
    fun run(
        makeRoom: (Manifest) -> Unit,
        onProgress: (share: Double) -> Unit,
    ) {
        val manifest = fetchManifest(makeRoom)
        val total = maxOf(1, manifest.sizeBytes)
        var done = 0L
        for ((path, entry) in manifest.files.toSortedMap()) {
            fetch(path, entry) { onProgress((done + it) / total.toDouble()) }
            done += entry.sizeBytes
        }
    }

    private fun fetchManifest(makeRoom: (Manifest) -> Unit): Manifest {
        val content =
            retry.repeating {
                client.openFile(MANIFEST_NAME, bundleId, sha256 = null, resumeAt = 0).use { answer ->
                    refuseWebPage(answer)
                    val content = LabClient.collect(answer, LARGEST_MANIFEST_BYTES)
                    val length = answer.header("Content-Length")?.toLongOrNull()
                    if (length != null && content.size < length) throw brokenOff(MANIFEST_NAME)
                    content
                }
            }
        val manifest = parseManifest(content)
        if (manifest.bundleId != bundleId) throw ServerError("the server sent another bundle", got = manifest.bundleId, allowed = bundleId)
        BundleListing.checkNames(manifest.files.keys)
        makeRoom(manifest)
        folder.mkdirs()
        removeStrangers(manifest)
        val partial = File(folder.path + ".manifest")
        partial.writeBytes(content)
        if (!partial.renameTo(File(folder, MANIFEST_NAME))) throw IOException("$MANIFEST_NAME cannot be placed")
        return manifest
    }

    /** Files of a manifest that the server has replaced since the last try. */
    private fun removeStrangers(manifest: Manifest) {
        folder
            .walkBottomUp()
            .filter {
                it.isFile && it
                    .relativeTo(
                        folder,
                    ).invariantSeparatorsPath !in manifest.files
            }.forEach { it.delete() }
    }

    /** Until the file's size and hash are the manifest's. */
    private fun fetch(
        path: String,
        entry: FileEntry,
        tell: (bytes: Long) -> Unit,
    ) {
        val file = File(folder, path)
        file.parentFile.mkdirs()
        var restarts = 0
        while (true) {
            try {
                retry.repeating { transfer(path, entry, file, tell) }
                if (sha256Hex(file.inputStream()) != entry.sha256) throw Restart("its hash differs")
                return
            } catch (restart: Restart) {
                file.delete()
                if (++restarts >= MOST_RESTARTS) {
                    val hint = "Export the bundle again on the server"
                    throw ServerError("${path.shown()} came wrong $restarts times: ${restart.reason}", hint = hint, cause = restart)
                }
            }
        }
    }

    private fun transfer(
        path: String,
        entry: FileEntry,
        file: File,
        tell: (bytes: Long) -> Unit,
    ) {
        val here = file.length()
        if (here > entry.sizeBytes) throw Restart("more bytes are here than the manifest says")
        if (here == entry.sizeBytes && file.exists()) return
        client.openFile(path, bundleId, entry.sha256, here).use { answer ->
            checkHead(answer, entry, here)
            val size = store(answer, entry, file, if (answer.status == PARTIAL_CONTENT) here else 0, tell)
            if (size < entry.sizeBytes) throw brokenOff(path)
        }
    }

    private fun store(
        answer: HttpAnswer,
        entry: FileEntry,
        file: File,
        start: Long,
        tell: (bytes: Long) -> Unit,
    ): Long {
        var size = start
        RandomAccessFile(file, "rw").use { open ->
            open.setLength(start)
            open.seek(start)
            val chunk = ByteArray(CHUNK_BYTES)
            while (true) {
                val count = readChunk(answer, chunk)
                if (count < 0) break
                size += count
                if (size > entry.sizeBytes) throw Restart("it is longer than the manifest says")
                open.write(chunk, 0, count)
                tell(size)
            }
            open.fd.sync()
        }
        return size
    }

    /** The server's failure is not the phone's: only this one is tried again. */
    private fun readChunk(
        answer: HttpAnswer,
        chunk: ByteArray,
    ): Int =
        try {
            answer.body.read(chunk)
        } catch (exc: IOException) {
            throw LabRefusal.Retry(ServerError("the connection to the server broke off: ${exc.message}", cause = exc))
        }

    private fun checkHead(
        answer: HttpAnswer,
        entry: FileEntry,
        here: Long,
    ) {
        refuseWebPage(answer)
        if (answer.status == LabClient.RANGE_NOT_SATISFIABLE) throw Restart("the server has fewer bytes")
        val hash = answer.header("X-Content-SHA256")
        val tag = answer.header("ETag")
        if ((hash != null && hash != entry.sha256) || (tag != null && tag != "\"${entry.sha256}\"")) {
            throw Restart("the server has another file")
        }
        if (answer.status != PARTIAL_CONTENT) return
        if (answer.header("Content-Range") != "bytes $here-${entry.sizeBytes - 1}/${entry.sizeBytes}") {
            throw Restart("the server sent other bytes than were asked for")
        }
    }

    private fun refuseWebPage(answer: HttpAnswer) {
        if (answer.header("Content-Type")?.startsWith("text/html") != true) return
        val hint = "Is it a sign-in page of the network?"
        throw LabRefusal.Retry(ServerError("the server sent a web page instead of a file", hint = hint))
    }

    private fun brokenOff(path: String) = LabRefusal.Retry(ServerError("the transfer of ${path.shown()} broke off", hint = "Try again"))

    private companion object {
        const val PARTIAL_CONTENT = 206
    }
}
