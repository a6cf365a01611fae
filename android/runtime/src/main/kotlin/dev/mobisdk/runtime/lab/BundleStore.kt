package dev.mobisdk.runtime.lab

import dev.mobisdk.runtime.BundleError
import dev.mobisdk.runtime.ConfigError
import dev.mobisdk.runtime.DeviceError
import dev.mobisdk.runtime.Manifest
import dev.mobisdk.runtime.MobiError
import dev.mobisdk.runtime.ModelBundle
import dev.mobisdk.runtime.ZippedBundle
import dev.mobisdk.runtime.shown
import java.io.File
import java.io.IOException
import java.nio.file.Files
import java.util.UUID

/**
 * The bundles on this phone: each in a folder of its own, whole or not there at all.
 *
 * @param folder made if it is not there; nothing else lies in it.
 * @param largestBytes bundles that were not used for longest are removed where a new one would pass this.
 */
public class BundleStore(
    private val folder: File,
    private val largestBytes: Long = DEFAULT_LARGEST_BYTES,
) {
    /**
     * What lies in a store, by name.
     *
     * @property bundles what can be used.
     * @property damaged folders that are no bundle any more.
     */
    public class Contents(
        public val bundles: List<ModelBundle>,
        public val damaged: List<Damaged>,
    )

    /**
     * A folder that is no bundle any more.
     *
     * @property name the folder's name.
     * @property error what is wrong with it.
     */
    public class Damaged(
        public val name: String,
        public val error: MobiError,
    )

    /** What lies here. */
    public fun list(): Contents {
        val bundles = ArrayList<ModelBundle>()
        val damaged = ArrayList<Damaged>()
        for (name in folder.list().orEmpty().sorted()) {
            if (name.startsWith(".")) continue
            try {
                bundles += ModelBundle.open(File(folder, name))
            } catch (error: MobiError) {
                damaged += Damaged(name, error)
            }
        }
        return Contents(bundles, damaged)
    }

    /**
     * Copies a bundle's folder or zip file, from the app's assets or the person's files, and checks every byte.
     *
     * @throws BundleError it is no bundle, or damaged; nothing is left here then.
     * @throws DeviceError the phone has no space for it.
     */
    @Synchronized
    public fun add(source: File): ModelBundle {
        val partial = File(folder, PARTIAL_PREFIX + UUID.randomUUID())
        try {
            return storing {
                if (source.isDirectory) copy(source, partial) else ZippedBundle(source).unpack(partial, ::makeRoom)
                place(partial)
            }
        } finally {
            partial.deleteRecursively()
        }
    }

    /**
     * Fetches a bundle from the lab server; a transfer that broke off, even by a kill, is gone on with next time.
     *
     * @param onProgress is told which share of the bytes is here, 0 to 1.
     * @throws ServerError the server is gone, refuses, or sends what it should not.
     * @throws BundleError the server's bundle is damaged.
     * @throws DeviceError the phone has no space for it.
     */
    @Synchronized
    public fun download(
        bundleId: String,
        client: LabClient,
        retry: RetryPolicy = RetryPolicy(),
        onProgress: (share: Double) -> Unit = {},
    ): ModelBundle {
        if (!BUNDLE_ID.matches(bundleId)) throw ConfigError("a bundle_id is 64 hexadecimal digits", got = bundleId.shown())
        list().bundles.firstOrNull { it.manifest.bundleId == bundleId }?.let { return it }
        val partial = File(folder, PARTIAL_PREFIX + bundleId)
        return storing {
            unwrapped { BundleDownload(client, retry, bundleId, partial).run(::makeRoom, onProgress) }
            place(partial)
        }
    }

    /**
     * Removes a bundle; one that is in use says so at its next read.
     *
     * @throws ConfigError it is not of this store.
     */
    @Synchronized
    public fun remove(bundle: ModelBundle) {
        if (bundle.directory.absoluteFile.parentFile != folder.absoluteFile) {
            throw ConfigError("this bundle is not of this store", got = bundle.directory.path.shown())
        }
        bundle.directory.deleteRecursively()
        usedMark(bundle.directory.name).delete()
    }

    /** Notes that a bundle is being used, so that others are removed before it. */
    @Synchronized
    public fun touch(bundle: ModelBundle) {
        val mark = usedMark(bundle.directory.name)
        val latest =
            folder
                .listFiles()
                .orEmpty()
                .filter { it.name.startsWith(USED_PREFIX) }
                .mapNotNull { readOrder(it) }
                .maxOrNull() ?: 0
        storing { mark.writeText("${latest + 1}") }
    }

    private fun place(partial: File): ModelBundle {
        val bundle = ModelBundle.open(partial)
        try {
            bundle.verifyFiles()
        } catch (error: BundleError) {
            partial.deleteRecursively()
            throw error
        }
        val final = File(folder, bundle.manifest.name)
        if (final.exists()) {
            findTwin(final, bundle)?.let { twin ->
                partial.deleteRecursively()
                return twin
            }
            final.deleteRecursively()
        }
        Files.move(partial.toPath(), final.toPath())
        return ModelBundle.open(final).also { touch(it) }
    }

    /** The same bundle, whole; a damaged one gives way. */
    private fun findTwin(
        place: File,
        bundle: ModelBundle,
    ): ModelBundle? =
        try {
            ModelBundle.open(place).takeIf { it.manifest.bundleId == bundle.manifest.bundleId }?.apply { verifyFiles() }
        } catch (_: BundleError) {
            null
        }

    private fun copy(
        source: File,
        partial: File,
    ) {
        val bundle = ModelBundle.open(source)
        makeRoom(bundle.manifest)
        for (name in bundle.manifest.files.keys + MANIFEST_FILE) File(source, name).copyTo(File(partial, name))
    }

    /** Removes bundles that were not used for longest, until the new one fits. */
    private fun makeRoom(manifest: Manifest) {
        val needed = manifest.sizeBytes
        if (needed > largestBytes) {
            throw DeviceError("${manifest.name} is larger than this app keeps", got = "$needed bytes", allowed = "$largestBytes bytes")
        }
        val bundles = list().bundles.sortedBy { readOrder(usedMark(it.directory.name)) ?: 0 }
        var total = bundles.sumOf { it.manifest.sizeBytes }
        for (oldest in bundles) {
            if (total + needed <= largestBytes) break
            remove(oldest)
            total -= oldest.manifest.sizeBytes
        }
    }

    /** A count, not a time: the phone's clock may be set back. */
    private fun readOrder(mark: File): Long? = if (mark.exists()) mark.readText().toLongOrNull() else null

    private fun usedMark(name: String) = File(folder, "$USED_PREFIX$name")

    private inline fun <T> storing(body: () -> T): T =
        try {
            folder.mkdirs()
            body()
        } catch (exc: IOException) {
            throw DeviceError("the bundle cannot be stored: ${exc.message}", hint = "Free some space and try again", cause = exc)
        }

    private companion object {
        const val PARTIAL_PREFIX = ".partial-"
        const val USED_PREFIX = ".used-"
        const val MANIFEST_FILE = "manifest.json"
        const val DEFAULT_LARGEST_BYTES = 2L shl 30
        val BUNDLE_ID = Regex("[0-9a-f]{64}")
    }
}
