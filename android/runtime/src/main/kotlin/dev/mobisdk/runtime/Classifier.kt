package dev.mobisdk.runtime

import java.io.Closeable

/**
 * One artefact on one runtime: load, prepare, forward to logits, close; what the benchmark runs.
 *
 * It is used by one thread at a time. [prepare] counts as preprocessing, [forward] is what `inference_ns` times.
 */
public interface Classifier : Closeable {
    /** Which runtime this is, for the log. */
    public val runtime: RuntimeInfo

    /**
     * Loads until the method is ready to run, not only the file.
     *
     * @throws BundleError the artefact is damaged, or of another version of the runtime.
     */
    public fun load()

    /** Turns one image, rows of R, G, B from the top, H × W × 3 bytes, into the runtime's input, which is kept here. */
    public fun prepare(pixels: ByteArray)

    /** Runs the network on the prepared image and overwrites [logits], which has one place a class. */
    public fun forward(logits: FloatArray)

    /** Which share of the network ran on which unit; asked after timing. */
    public fun readPlacement(): Placement

    /** Frees what [load] took; safe to call twice. */
    override fun close()
}
