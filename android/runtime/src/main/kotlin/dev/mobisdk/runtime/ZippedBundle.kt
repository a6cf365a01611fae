package dev.mobisdk.runtime

import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException

private const val END_SIGNATURE = 0x06054b50L
private const val CENTRAL_SIGNATURE = 0x02014b50L
private const val LOCAL_SIGNATURE = 0x04034b50L
private const val END_BYTES = 22
private const val CENTRAL_BYTES = 46
private const val LOCAL_BYTES = 30
private const val LONGEST_COMMENT = 65_535
private const val MOST_ENTRIES = 3000
private const val LARGEST_DIRECTORY = 4L * 1024 * 1024
private const val CHUNK_BYTES = 1 shl 20
private const val NEWEST_PLAIN_VERSION = 45
private const val KIND_MASK = 0xF000L
private const val KIND_FILE = 0x8000L
private const val KIND_FOLDER = 0x4000L

/**
 * A bundle as one zip file of stored entries, read without trusting a byte of it (PKWARE's APPNOTE.TXT, sections 4.3 and
 * 4.4; no ZIP64: a bundle's file has at most 4 GiB). The platform's own reader takes what other readers see differently.
 */
internal class ZippedBundle(
    private val file: File,
) {
    private class Entry(
        val name: String,
        val size: Long,
        val headerAt: Long,
    )

    /**
     * Checks every entry, then writes the files and checks their hashes.
     *
     * @param makeRoom is told of the manifest before anything is written.
     * @throws BundleError it is no whole zip file or no bundle; [folder] may then hold a part, the caller's to remove.
     */
    fun unpack(
        folder: File,
        makeRoom: (Manifest) -> Unit = {},
    ) {
        val zip =
            try {
                RandomAccessFile(file, "r")
            } catch (exc: IOException) {
                throw BundleError("the zip file cannot be read: ${exc.message}", got = file.path.shown(), cause = exc)
            }
        zip.use { unpack(it, folder, makeRoom) }
    }

    private fun unpack(
        zip: RandomAccessFile,
        folder: File,
        makeRoom: (Manifest) -> Unit,
    ) {
        val entries = readEntries(zip)
        val (manifests, others) = entries.partition { it.name == MANIFEST_NAME }
        val manifestEntry = manifests.singleOrNull()?.takeIf { it.size <= LARGEST_MANIFEST_BYTES }
        if (manifestEntry == null) throw BundleError("a zipped bundle must hold $MANIFEST_NAME once, stored, at most 1 MiB")
        val content = read(zip, findContent(zip, manifestEntry), manifestEntry.size)
        val manifest = parseManifest(content)
        BundleListing.checkNames(manifest.files.keys)
        BundleListing.checkNames(others.map { it.name })
        BundleListing.compare(others.associate { it.name to it.size }, manifest.files)
        makeRoom(manifest)
        folder.mkdirs()
        File(folder, MANIFEST_NAME).writeBytes(content)
        for (entry in others) copy(zip, entry, File(folder, entry.name))
        ModelBundle.open(folder).verifyFiles()
    }

    private fun readEntries(zip: RandomAccessFile): List<Entry> {
        val length = zip.length()
        val tailAt = maxOf(0, length - END_BYTES - LONGEST_COMMENT)
        val tail = read(zip, tailAt, length - tailAt)
        val end =
            (tail.size - END_BYTES downTo 0).firstOrNull {
                tail.word(it) == END_SIGNATURE && it + END_BYTES + tail.half(it + 20) == tail.size
            } ?: fail("this is no whole zip file")
        val count = tail.half(end + 10)
        val size = tail.word(end + 12)
        val offset = tail.word(end + 16)
        val isOneDisk = tail.half(end + 8) == count && tail.half(end + 4) == 0
        if (count > MOST_ENTRIES || size > LARGEST_DIRECTORY || !isOneDisk || offset + size != tailAt + end) {
            fail("this is no whole zip file: its directory does not fit")
        }
        return readDirectory(read(zip, offset, size), count)
    }

    private fun readDirectory(
        directory: ByteArray,
        count: Int,
    ): List<Entry> {
        val entries = ArrayList<Entry>()
        var place = 0
        repeat(count) {
            if (place + CENTRAL_BYTES > directory.size || directory.word(place) != CENTRAL_SIGNATURE) {
                fail("this is no whole zip file: its directory is damaged")
            }
            val nameAt = place + CENTRAL_BYTES
            val nameEnd = nameAt + directory.half(place + 28)
            if (nameEnd > directory.size) fail("this is no whole zip file: its directory is damaged")
            val name = decodeName(directory.copyOfRange(nameAt, nameEnd))
            checkEntry(directory, place, name)
            if (!name.endsWith("/")) entries += Entry(name, directory.word(place + 24), directory.word(place + 42))
            place = nameEnd + directory.half(place + 30) + directory.half(place + 32)
        }
        return entries
    }

    private fun checkEntry(
        directory: ByteArray,
        place: Int,
        name: String,
    ) {
        val isStored = directory.half(place + 10) == 0 && directory.word(place + 20) == directory.word(place + 24)
        val isPlain = directory.half(place + 8) and 1 == 0 && directory.half(place + 6) and 0xFF <= NEWEST_PLAIN_VERSION
        if (!isStored || !isPlain) throw BundleError("an entry of a zipped bundle must be stored as it is", got = name.shown())
        val kind = (directory.word(place + 38) shr 16) and KIND_MASK
        if (kind != 0L && kind != KIND_FILE && !(kind == KIND_FOLDER && name.endsWith("/"))) {
            throw BundleError(BundleListing.NO_LINKS, got = name.shown())
        }
    }

    /** Where an entry's bytes begin: behind its local header, which must tell the same as the directory. */
    private fun findContent(
        zip: RandomAccessFile,
        entry: Entry,
    ): Long {
        val header = read(zip, entry.headerAt, LOCAL_BYTES.toLong())
        val nameLength = header.half(26)
        val name = read(zip, entry.headerAt + LOCAL_BYTES, nameLength.toLong())
        val isSame = header.word(0) == LOCAL_SIGNATURE && name.contentEquals(entry.name.toByteArray())
        if (!isSame || header.half(8) != 0 || header.half(6) and 1 != 0) {
            throw BundleError("an entry of the zip file is not what its directory says", got = entry.name.shown())
        }
        return entry.headerAt + LOCAL_BYTES + nameLength + header.half(28)
    }

    private fun copy(
        zip: RandomAccessFile,
        entry: Entry,
        target: File,
    ) {
        target.parentFile.mkdirs()
        var place = findContent(zip, entry)
        val end = place + entry.size
        target.outputStream().use { output ->
            while (place < end) {
                val piece = read(zip, place, minOf(CHUNK_BYTES.toLong(), end - place))
                output.write(piece)
                place += piece.size
            }
        }
    }

    private fun read(
        zip: RandomAccessFile,
        offset: Long,
        count: Long,
    ): ByteArray {
        if (offset + count > zip.length()) fail("the zip file ends too early")
        val content = ByteArray(count.toInt())
        zip.seek(offset)
        zip.readFully(content)
        return content
    }

    private fun decodeName(bytes: ByteArray): String =
        try {
            Charsets.UTF_8
                .newDecoder()
                .decode(ByteBuffer.wrap(bytes))
                .toString()
        } catch (exc: CharacterCodingException) {
            throw BundleError("a name in the zip file is not UTF-8", got = file.path.shown(), cause = exc)
        }

    private fun fail(what: String): Nothing = throw BundleError(what, got = file.path.shown())
}

private fun ByteArray.half(at: Int): Int = (this[at].toInt() and 0xFF) or ((this[at + 1].toInt() and 0xFF) shl 8)

private fun ByteArray.word(at: Int): Long = half(at).toLong() or (half(at + 2).toLong() shl 16)
