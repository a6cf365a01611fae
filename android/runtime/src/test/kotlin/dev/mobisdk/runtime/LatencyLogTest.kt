package dev.mobisdk.runtime

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.io.IOException

class LatencyLogTest {
    private val run =
        parseLatencyRun(File(ContractFiles.directory, "latency/good.jsonl").readLines()[0].toByteArray())

    @Test
    fun `runs come back in order, each once`() {
        withFolder { folder ->
            val log = LatencyLog(File(folder, "new/log.jsonl"))
            assertEquals(0, log.read().runs.size)
            assertFalse(log.file.exists())
            val other = run.copy(runId = "00000000-0000-4000-8000-0000000000aa")
            log.append(run)
            log.append(other)
            log.append(run)
            log.file.appendText(" \n\n")
            assertEquals(listOf(run.runId, other.runId), log.read().runs.map { it.runId })
            assertEquals(0, log.read().setAside.size)
            assertArrayEquals(run.inferenceNs, log.read().runs[0].inferenceNs)
        }
    }

    @Test
    fun `a line that a kill cut at any byte is set aside, and the next run is whole`() {
        withFolder { folder ->
            val line = run.toJsonLine().toByteArray()
            for (cut in listOf(1, 2, line.size / 2, line.size - 1)) {
                val log = LatencyLog(File(folder, "log-$cut.jsonl"))
                log.append(run)
                log.file.appendBytes(line.copyOf(cut))
                log.append(run.copy(runId = "00000000-0000-4000-8000-0000000000bb"))
                assertEquals(2, log.read().runs.size)
                assertEquals(listOf(2), log.read().setAside.map { it.line })
                assertTrue(
                    log.read().setAside[0].reason,
                    log
                        .read()
                        .setAside[0]
                        .reason
                        .startsWith("the line is not JSON"),
                )
            }
        }
    }

    @Test
    fun `a line that lacks only its end is whole`() {
        withFolder { folder ->
            val log = LatencyLog(File(folder, "log.jsonl"))
            log.file.writeText(run.toJsonLine())
            assertEquals(1, log.read().runs.size)
            log.append(run.copy(runId = "00000000-0000-4000-8000-0000000000cc"))
            assertEquals(2, log.read().runs.size)
        }
    }

    @Test
    fun `storage that fills up in the middle of a line leaves the log as it was`() {
        withFolder { folder ->
            val file = File(folder, "log.jsonl")
            LatencyLog(file).append(run)
            val before = file.readBytes()
            val full =
                LineFile(file) { open, content ->
                    open.write(content, 0, content.size / 2)
                    throw IOException("No space left on device")
                }
            val error = assertThrows(DeviceError::class.java) { full.append(run.toJsonLine(), synchronizing = true) }
            assertEquals("log.jsonl cannot be written: No space left on device. Free some space and run it again", error.message)
            assertArrayEquals(before, file.readBytes())
        }
    }

    @Test
    fun `a log that cannot be opened is said in a sentence`() {
        withFolder { folder ->
            val error = assertThrows(DeviceError::class.java) { LatencyLog(folder).append(run) }
            assertTrue(error.message!!, error.message!!.endsWith("Free some space and run it again"))
        }
    }

    @Test
    fun `a run that breaks the contract leaves no line`() {
        withFolder { folder ->
            val log = LatencyLog(File(folder, "log.jsonl"))
            assertThrows(DataError::class.java) { log.append(run.copy(sessionId = "none")) }
            assertFalse(log.file.exists())
        }
    }
}
