package dev.mobisdk.runtime

import java.io.IOException
import java.nio.file.FileVisitResult
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.SimpleFileVisitor
import java.nio.file.attribute.BasicFileAttributes
import java.text.Normalizer
import java.util.Locale

/** What may lie in a bundle: names that mean one file on every file system, and no file that is not listed. */
internal object BundleListing {
    private const val LONGEST_PART = 200
    private const val FORBIDDEN = "\\:*?\"<>|\u007f"
    const val NO_LINKS = "a bundle may hold only files and folders, no links or devices"

    /** Refuses names that leave the bundle, or that collide when case or Unicode form is ignored. */
    fun checkNames(names: Iterable<String>) {
        val seen = hashMapOf(fold(MANIFEST_NAME) to MANIFEST_NAME)
        val files = hashSetOf(MANIFEST_NAME)
        val folders = HashSet<String>()
        for (name in names) {
            checkSpelling(name)
            if (!files.add(name)) throw BundleError("a path stands twice in a bundle", got = name.shown())
            val parts = name.split('/')
            for (depth in 1..parts.size) {
                val prefix = parts.take(depth).joinToString("/")
                if (depth < parts.size) folders.add(prefix)
                if (seen.getOrPut(fold(prefix)) { prefix } != prefix) {
                    throw BundleError("two paths in a bundle differ only in case or Unicode form", got = name.shown())
                }
            }
        }
        files.intersect(folders).minOrNull()?.let {
            throw BundleError("a path in a bundle is both a file and a folder", got = it.shown())
        }
    }

    /** Compares a folder with the manifest's files: the same regular files, of the same sizes, and no links. */
    fun checkFolder(
        folder: Path,
        files: Map<String, FileEntry>,
    ) {
        val found = HashMap<String, Long>()
        Files.walkFileTree(
            folder,
            object : SimpleFileVisitor<Path>() {
                override fun visitFile(
                    file: Path,
                    attributes: BasicFileAttributes,
                ): FileVisitResult {
                    val name = folder.relativize(file).joinToString("/")
                    if (!attributes.isRegularFile) throw BundleError(NO_LINKS, got = name.shown())
                    found[name] = attributes.size()
                    return FileVisitResult.CONTINUE
                }

                override fun visitFileFailed(
                    file: Path,
                    exc: IOException,
                ): FileVisitResult = throw BundleError("a file of a bundle cannot be read", got = file.toString().shown(), cause = exc)
            },
        )
        found.remove(MANIFEST_NAME)
        compare(found, files)
    }

    /** Throws for the first name or size that differs. */
    fun compare(
        found: Map<String, Long>,
        files: Map<String, FileEntry>,
    ) {
        (found.keys - files.keys).minOrNull()?.let {
            throw BundleError("a bundle holds a file that its manifest does not list", got = it.shown())
        }
        (files.keys - found.keys).minOrNull()?.let {
            throw BundleError("a bundle lacks a file that its manifest lists", got = it.shown(), hint = "Copy it again, whole")
        }
        for ((name, size) in found.toSortedMap()) {
            val expected = files.getValue(name).sizeBytes
            if (size != expected) {
                throw BundleError("$name must have $expected bytes", got = "$size", hint = "Copy the bundle again, whole")
            }
        }
    }

    private fun checkSpelling(name: String) {
        val parts = name.split('/')
        if (name.startsWith('/') || (name.length > 1 && name[1] == ':')) {
            throw BundleError("a path in a bundle must be relative", got = name.shown())
        }
        if (parts.any { it == "" || it == "." || it == ".." }) {
            throw BundleError("a path in a bundle must not leave it", got = name.shown())
        }
        if (name.any { it < ' ' || it in FORBIDDEN }) {
            throw BundleError("a path in a bundle has a character that some file system forbids", got = name.shown())
        }
        if (parts.any { it.codePointCount(0, it.length) > LONGEST_PART }) {
            throw BundleError("a path in a bundle is too long", got = name.shown(), allowed = "$LONGEST_PART characters a part")
        }
    }

    /** Upper case, then lower: ß and SS are one, as case folding has it. */
    private fun fold(name: String): String {
        val folded = Normalizer.normalize(name, Normalizer.Form.NFC).uppercase(Locale.ROOT).lowercase(Locale.ROOT)
        return Normalizer.normalize(folded, Normalizer.Form.NFC)
    }
}
