package dev.mobisdk.runtime

import java.io.File

/**
 * A latency log: JSON Lines, append-only, one run a line, each on disk before [append] returns.
 *
 * @property file where it lies; nothing is made before the first run.
 */
public class LatencyLog(
    public val file: File,
) {
    /**
     * A line that is no run.
     *
     * @property line where it is, from 1.
     * @property reason why, and which field.
     */
    public data class SetAside(
        val line: Int,
        val reason: String,
    )

    /**
     * What a log holds.
     *
     * @property runs in the log's order, each once.
     * @property setAside lines that were cut by a kill, or are of another version.
     */
    public class Contents(
        public val runs: List<LatencyRun>,
        public val setAside: List<SetAside>,
    )

    private val lines = LineFile(file)

    /**
     * Adds a run. If a kill left the log in the middle of a line, that line is ended first: it stays set aside, and this
     * one is whole.
     *
     * @throws DataError the run breaks the contract.
     * @throws DeviceError the phone has no space. Either way the log is as it was.
     */
    public fun append(run: LatencyRun) {
        lines.append(run.toJsonLine(), synchronizing = true)
    }

    /** Every whole run and every line that is none; empty where there is no log yet. */
    public fun read(): Contents {
        val runs = LinkedHashMap<String, LatencyRun>()
        val setAside = ArrayList<SetAside>()
        if (!file.exists()) return Contents(emptyList(), emptyList())
        LineReader(file).use { reader ->
            var number = 0
            while (true) {
                val line = reader.next()?.content ?: break
                number++
                if (line.isBlank()) continue
                try {
                    val run = parseLatencyRun(line)
                    runs.getOrPut(run.runId.lowercase()) { run }
                } catch (error: DataError) {
                    setAside += SetAside(number, error.message!!)
                }
            }
        }
        return Contents(runs.values.toList(), setAside)
    }
}

/** Nothing but JSON's white space. */
internal fun ByteArray.isBlank(): Boolean = all { it == ' '.code.toByte() || it == '\t'.code.toByte() || it == '\r'.code.toByte() }
