package dev.mobisdk.runtime.lab

import dev.mobisdk.runtime.DataError
import dev.mobisdk.runtime.LatencyLog
import dev.mobisdk.runtime.LineReader
import dev.mobisdk.runtime.isBlank
import dev.mobisdk.runtime.parseLatencyRun
import java.io.File

private const val LARGEST_BATCH = 50
private const val LARGEST_BATCH_BYTES = 4 * 1024 * 1024

/**
 * What became of a log's lines.
 *
 * @property sentBytes bytes of the log that need not be sent again.
 * @property accepted runs that the server took.
 * @property duplicates runs that it had already.
 * @property rejected lines that it refused, or that are no runs, with their reasons.
 */
public data class UploadProgress(
    val sentBytes: Long = 0,
    val accepted: Int = 0,
    val duplicates: Int = 0,
    val rejected: List<LatencyLog.SetAside> = emptyList(),
)

/**
 * Sends a log's lines to the lab server: in batches, again and again until it answers, each run once.
 *
 * What was answered is kept beside the log in `<log>.sent`, so that a kill loses nothing and doubles nothing: the server
 * knows every run by its id. One [Uploader] at a time works on a log.
 *
 * @param log the file of a [LatencyLog].
 * @param client speaks to the server.
 * @param retry how often and how long it is tried.
 */
public class Uploader(
    private val log: File,
    private val client: LabClient,
    private val retry: RetryPolicy = RetryPolicy(),
) {
    private val journal = UploadJournal(log)

    /** What was sent so far. */
    public fun readProgress(): UploadProgress = journal.read()

    /**
     * Sends every whole line that was not answered yet. Nothing is marked as sent before its answer, and the log is never
     * changed.
     *
     * @throws ServerError the server refuses, is gone, or wants the phone to join again (`isTokenVoid`).
     * @throws DeviceError what was sent cannot be noted.
     */
    public fun sendAll(): UploadProgress {
        var progress = journal.read()
        var size = LARGEST_BATCH
        while (true) {
            val batch = readBatch(progress.sentBytes, size) ?: return progress
            try {
                progress = send(batch, progress)
                journal.write(progress)
            } catch (refusal: LabRefusal.Split) {
                if (batch.lines.size > 1) {
                    size = batch.lines.size / 2
                } else {
                    progress = batch.settle(progress, null, batch.lines.map { LatencyLog.SetAside(it.number, refusal.error.message!!) })
                    journal.write(progress)
                }
            } catch (refusal: LabRefusal) {
                throw refusal.error
            }
        }
    }

    private fun send(
        batch: Batch,
        progress: UploadProgress,
    ): UploadProgress {
        if (batch.lines.isEmpty()) return batch.settle(progress, null, emptyList())
        val answer = retry.repeating { client.upload(batch.lines.map { it.content }) }
        val rejected = answer.rejected.toSortedMap().map { (line, reason) -> LatencyLog.SetAside(batch.lines[line - 1].number, reason) }
        return batch.settle(progress, answer, rejected)
    }

    /** Whole lines of the log; null where nothing is left. */
    private fun readBatch(
        sentBytes: Long,
        size: Int,
    ): Batch? {
        if (!log.exists()) return null
        val start = if (sentBytes <= log.length()) sentBytes else 0 // a log that was replaced begins anew
        var number = countLines(start)
        val batch = Batch(start)
        LineReader(log, start).use { reader ->
            var bytes = 0
            while (batch.lines.size < size) {
                val line = reader.next() ?: break
                if (!line.isFinished) break // it is being written, or a kill cut it
                if (batch.lines.isNotEmpty() && bytes + line.content.size > LARGEST_BATCH_BYTES) break
                batch.add(++number, line.content)
                bytes += line.content.size
                batch.end = reader.position
            }
        }
        return batch.takeIf { it.end > start }
    }

    private fun countLines(end: Long): Int {
        var count = 0
        LineReader(log).use { while (it.position < end && it.next() != null) count++ }
        return count
    }

    private class Batch(
        var end: Long,
    ) {
        class NumberedLine(
            val number: Int,
            val content: ByteArray,
        )

        val lines = ArrayList<NumberedLine>()
        private val setAside = ArrayList<LatencyLog.SetAside>()

        fun add(
            number: Int,
            content: ByteArray,
        ) {
            if (content.isBlank()) return
            try {
                parseLatencyRun(content)
                lines += NumberedLine(number, content)
            } catch (error: DataError) {
                setAside += LatencyLog.SetAside(number, error.message!!)
            }
        }

        fun settle(
            progress: UploadProgress,
            answer: UploadAnswer?,
            rejected: List<LatencyLog.SetAside>,
        ) = UploadProgress(
            sentBytes = end,
            accepted = progress.accepted + (answer?.accepted ?: 0),
            duplicates = progress.duplicates + (answer?.duplicates ?: 0),
            rejected = progress.rejected + setAside + rejected,
        )
    }
}
