package dev.mobisdk.runtime

import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.file.Files
import java.nio.file.LinkOption

/**
 * A bundle's folder whose manifest, names, kinds and sizes were checked: a network with all that a phone needs to run,
 * check and measure it. [verifyFiles] checks every byte.
 *
 * ```
 * val bundle = ModelBundle.open(folder)
 * val classifier = ExecuTorchClassifier(bundle)
 * val predictions = classifier.classify(bitmap)
 * ```
 *
 * @property directory where it lies.
 * @property manifest what it says of itself.
 */
public class ModelBundle private constructor(
    public val directory: File,
    public val manifest: Manifest,
) {
    /** `<arch>-a<alpha>-r<resolution>-<recipe>-<first 8 of bundle_id>`. */
    public val name: String get() = manifest.name

    /** The golden photograph, before preprocessing: a PNG. */
    public val goldenImageFile: File get() = File(directory, GOLDEN_IMAGE_NAME)

    /**
     * The `.pte` file, or the `.mlpackage` folder.
     *
     * @throws BundleError the bundle lists neither, or both.
     */
    public val modelFile: File
        get() {
            val tops =
                manifest.files.keys
                    .map { it.substringBefore('/') }
                    .toSet()
                    .intersect(MODEL_NAMES)
            val top = tops.singleOrNull() ?: throw BundleError("a bundle must hold model.pte or model.mlpackage", got = "$tops")
            return File(directory, top)
        }

    /**
     * The label of each logit.
     *
     * @throws BundleError the bundle lists no labels, or they are gone.
     */
    public fun readLabels(): List<String> = read(LABELS_NAME).toString(Charsets.UTF_8).split('\n').dropLast(1)

    /**
     * The preprocessed golden image: rows of R, G, B from the top, H × W × 3 bytes.
     *
     * @throws BundleError the file has not the size that the input's shape asks for.
     */
    public fun readGoldenInput(): ByteArray {
        val (height, width) = manifest.input.shape.takeLast(2)
        val content = read(GOLDEN_INPUT_NAME)
        if (content.size.toLong() != height.toLong() * width * CHANNELS) {
            throw BundleError("$GOLDEN_INPUT_NAME must hold $height×$width×$CHANNELS bytes", got = "${content.size}")
        }
        return content
    }

    /**
     * The network's logits for the golden image, one a class.
     *
     * @throws BundleError the file has not the size that the manifest's classes ask for.
     */
    public fun readGoldenOutput(): FloatArray {
        val content = read(GOLDEN_OUTPUT_NAME)
        val classes = manifest.model.numClasses
        if (content.size.toLong() != classes.toLong() * Float.SIZE_BYTES) {
            throw BundleError("$GOLDEN_OUTPUT_NAME must hold $classes values of 4 bytes", got = "${content.size} bytes")
        }
        val logits = FloatArray(classes)
        ByteBuffer
            .wrap(content)
            .order(ByteOrder.LITTLE_ENDIAN)
            .asFloatBuffer()
            .get(logits)
        return logits
    }

    /**
     * Compares the SHA-256 of every file with the manifest.
     *
     * @throws BundleError names the first file that differs or is gone.
     */
    public fun verifyFiles() {
        for ((name, expected) in manifest.files.toSortedMap()) {
            val digest = reading(name) { sha256Hex(it.inputStream()) }
            if (digest != expected.sha256) {
                throw BundleError("$name is damaged: its SHA-256 is not the manifest's", hint = "Copy the bundle again")
            }
        }
    }

    /**
     * Refuses a bundle that this phone cannot run, before anything is loaded.
     *
     * @param runtime the runtime that would load it, such as "executorch".
     * @param runtimeVersion its version; null where it does not tell, which is taken for new enough.
     * @param apiLevel the phone's Android API level.
     * @throws UnsupportedError names what it needs, and the version to use.
     */
    public fun checkRequirements(
        runtime: String,
        runtimeVersion: String?,
        apiLevel: Int,
    ) {
        val target = manifest.target
        if (target.platform != "android") {
            val hint = "Export it with --target android"
            throw UnsupportedError("$name is made for another system", got = target.platform.shown(), allowed = "android", hint = hint)
        }
        if (target.runtime != runtime) {
            throw UnsupportedError("$name needs another runtime", got = runtime.shown(), allowed = target.runtime.shown())
        }
        val needed = target.minOs.toIntOrNull()
        if (needed == null || needed > apiLevel) {
            val hint = "Export with a recipe for API level $apiLevel, or use a newer phone"
            throw UnsupportedError(
                "$name needs a newer Android",
                got = "API level $apiLevel",
                allowed = "${target.minOs.shown()} or newer",
                hint = hint,
            )
        }
        checkRuntimeVersion(runtime, runtimeVersion)
    }

    private fun checkRuntimeVersion(
        runtime: String,
        runtimeVersion: String?,
    ) {
        val least = manifest.target.minRuntime ?: return
        val present = Version.parse(runtimeVersion?.substringBefore('+') ?: return) ?: return
        if (present < checkNotNull(Version.parse(least))) {
            val hint = "Build the app with $runtime $least"
            throw UnsupportedError("$name needs a newer $runtime", got = runtimeVersion, allowed = "$least or newer", hint = hint)
        }
    }

    private fun read(name: String): ByteArray {
        if (name !in manifest.files) throw BundleError("a bundle must hold $name")
        return reading(name) { it.readBytes() }
    }

    /** A bundle may be removed while it is in use: that is said, not crashed on. */
    private fun <T> reading(
        name: String,
        body: (File) -> T,
    ): T =
        try {
            body(File(directory, name))
        } catch (exc: IOException) {
            throw BundleError("$name cannot be read any more", hint = "Add the bundle again", cause = exc)
        }

    /** Opens bundles. */
    public companion object {
        private const val GOLDEN_IMAGE_NAME = "golden_image.png"
        private const val GOLDEN_INPUT_NAME = "golden_input.u8"
        private const val GOLDEN_OUTPUT_NAME = "golden_output.f32"
        private const val LABELS_NAME = "labels.txt"
        private const val CHANNELS = 3
        private val MODEL_NAMES = setOf("model.pte", "model.mlpackage")

        /**
         * Reads a bundle's folder: the manifest with its hashes, then names, kinds and sizes, before any byte of a model.
         *
         * @throws BundleError it is no bundle, or differs from its manifest in any of these.
         */
        @JvmStatic
        public fun open(directory: File): ModelBundle {
            if (!Files.isDirectory(directory.toPath(), LinkOption.NOFOLLOW_LINKS)) {
                val hint = if (directory.extension == "zip") "A zipped bundle is added with BundleStore.add" else "See mobisdk export"
                throw BundleError("a bundle must be a folder", got = directory.path.shown(), hint = hint)
            }
            val file = File(directory, MANIFEST_NAME)
            if (!Files.isRegularFile(file.toPath(), LinkOption.NOFOLLOW_LINKS)) {
                throw BundleError("there is no $MANIFEST_NAME in this folder", got = directory.path.shown(), hint = "See mobisdk export")
            }
            try {
                val manifest = parseManifest(file.inputStream().use { it.readAtMost(LARGEST_MANIFEST_BYTES + 1) })
                BundleListing.checkNames(manifest.files.keys)
                BundleListing.checkFolder(directory.toPath(), manifest.files)
                return ModelBundle(directory, manifest)
            } catch (exc: IOException) {
                throw BundleError("the bundle cannot be read", got = directory.path.shown(), hint = "Add it again", cause = exc)
            }
        }
    }
}
