package dev.mobisdk.runtime.lab

import dev.mobisdk.runtime.ContractFiles
import dev.mobisdk.runtime.DeviceError
import dev.mobisdk.runtime.LatencyLog
import dev.mobisdk.runtime.LatencyRun
import dev.mobisdk.runtime.ServerError
import dev.mobisdk.runtime.parseLatencyRun
import dev.mobisdk.runtime.toJsonLine
import dev.mobisdk.runtime.withFolder
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.ByteArrayInputStream
import java.io.File
import java.io.IOException
import java.io.InputStream

class UploaderTest {
    private val good = File(ContractFiles.directory, "latency/good.jsonl").readLines()
    private val waits = FakeWaits()
    private val server = FakeServer()

    private fun run(number: Int): LatencyRun =
        parseLatencyRun(good[0].toByteArray()).copy(runId = "00000000-0000-4000-8000-%012d".format(number))

    private fun uploader(
        log: LatencyLog,
        transport: HttpTransport = server,
    ) = Uploader(log.file, LabClient(transport, "a-token"), waits.policy)

    private fun sizes() = server.requests.map { FakeServer.linesOf(it).size }

    @Test
    fun `runs go in batches, and what was answered goes no second time`() {
        withFolder { folder ->
            val log = LatencyLog(File(folder, "log.jsonl"))
            assertEquals(UploadProgress(), uploader(log).sendAll())
            repeat(120) { log.append(run(it)) }
            assertEquals(120, uploader(log).sendAll().accepted)
            assertEquals(listOf(50, 50, 20), sizes())
            assertEquals("Bearer a-token", server.requests[0].headers["Authorization"])
            uploader(log).sendAll()
            assertEquals(3, server.requests.size)
            log.append(run(120))
            val progress = uploader(log).sendAll()
            assertEquals(121, progress.accepted)
            assertEquals(log.file.length(), progress.sentBytes)
            assertEquals(121, server.runs.size)
        }
    }

    @Test
    fun `a kill between the server's answer and the note doubles nothing`() {
        withFolder { folder ->
            val log = LatencyLog(File(folder, "log.jsonl"))
            repeat(3) { log.append(run(it)) }
            uploader(log).sendAll()
            File(log.file.path + ".sent").delete()
            val progress = uploader(log).sendAll()
            assertEquals(UploadProgress(log.file.length(), 0, 3), progress)
            assertEquals(3, server.runs.size)
        }
    }

    @Test
    fun `a damaged note means that nothing was sent`() {
        withFolder { folder ->
            val log = LatencyLog(File(folder, "log.jsonl"))
            repeat(3) { log.append(run(it)) }
            for (damage in listOf("", "{", "{\"sent_bytes\": -4}", "{\"sent_bytes\": 1, \"accepted\": \"\\ud800\"}", "[]")) {
                File(log.file.path + ".sent").writeText(damage)
                assertEquals(damage, UploadProgress(), uploader(log).readProgress())
            }
            assertEquals(3, uploader(log).sendAll().let { it.accepted + it.duplicates })
        }
    }

    @Test
    fun `lines that are no runs are set aside with their number, and a line that is being written waits`() {
        withFolder { folder ->
            val log = LatencyLog(File(folder, "log.jsonl"))
            log.append(run(0))
            log.file.appendText("{\"schema\":\"mobi\n\n")
            log.append(run(1))
            val unfinished = run(2).toJsonLine()
            log.file.appendText(unfinished)
            val progress = uploader(log).sendAll()
            assertEquals(2, progress.accepted)
            assertEquals(listOf(2), progress.rejected.map { it.line })
            assertEquals(log.file.length() - unfinished.length, progress.sentBytes)
            log.file.appendText("\n")
            assertEquals(3, uploader(log).sendAll().accepted)
            assertEquals(listOf(2, 1), sizes())
        }
    }

    @Test
    fun `a log of nothing but broken lines is settled without a request`() {
        withFolder { folder ->
            val log = LatencyLog(File(folder, "log.jsonl"))
            log.file.writeText("nothing\n[]\n")
            assertEquals(2, uploader(log).sendAll().rejected.size)
            assertEquals(0, server.requests.size)
        }
    }

    @Test
    fun `one line that is too large is set aside, and the others go`() {
        withFolder { folder ->
            val log = LatencyLog(File(folder, "log.jsonl"))
            repeat(4) { log.append(run(it)) }
            val picky =
                HttpTransport { request ->
                    val isTooLarge = FakeServer.linesOf(request).any { "000000000002" in it.substringBefore("\"session_id\"") }
                    if (isTooLarge) FakeServer.problem(413) else server.send(request)
                }
            val progress = uploader(log, picky).sendAll()
            assertEquals(3, progress.accepted)
            assertEquals(listOf(LatencyLog.SetAside(3, "the server answered 413: Because of 413.")), progress.rejected)
        }
    }

    @Test
    fun `a server that is gone is asked again, later and later, then the person is told`() {
        withFolder { folder ->
            val log = LatencyLog(File(folder, "log.jsonl"))
            log.append(run(0))
            val gone = HttpTransport { throw ServerError("the lab server cannot be reached: no route") }
            val error = assertThrows(ServerError::class.java) { uploader(log, gone).sendAll() }
            assertEquals("the lab server cannot be reached: no route", error.message)
            assertEquals(listOf(1000L, 2000L, 4000L), waits.millis)
            assertFalse(File(log.file.path + ".sent").exists())
            assertEquals(1, uploader(log).sendAll().accepted)
        }
    }

    @Test
    fun `failures count in a row alone`() {
        withFolder { folder ->
            val log = LatencyLog(File(folder, "log.jsonl"))
            repeat(150) { log.append(run(it)) }
            var count = 0
            val shaky = HttpTransport { if (count++ % 3 < 2) FakeServer.problem(503) else server.send(it) }
            assertEquals(150, uploader(log, shaky).sendAll().accepted)
            assertEquals(6, waits.millis.size)
        }
    }

    @Test
    fun `a connection that breaks off in the answer marks nothing as sent`() {
        withFolder { folder ->
            val log = LatencyLog(File(folder, "log.jsonl"))
            log.append(run(0))
            server.intercept("/v1/runs") { HttpAnswer(200, emptyMap(), BreakingStream("{\"accepted\": 1,".toByteArray())) }
            assertEquals(1, uploader(log).sendAll().accepted)
            assertEquals(2, server.requests.size)
        }
    }

    @Test
    fun `storage that is full when the answer is to be noted is said, and nothing is lost`() {
        withFolder { folder ->
            val log = LatencyLog(File(folder, "log.jsonl"))
            log.append(run(0))
            File(log.file.path + ".sent.partial").mkdir()
            val error = assertThrows(DeviceError::class.java) { uploader(log).sendAll() }
            assertTrue(error.message!!, error.message!!.startsWith("what was sent cannot be noted: "))
            File(log.file.path + ".sent.partial").delete()
            assertEquals(1, uploader(log).sendAll().duplicates)
        }
    }

    @Test
    fun `a log that was replaced begins anew`() {
        withFolder { folder ->
            val log = LatencyLog(File(folder, "log.jsonl"))
            repeat(3) { log.append(run(it)) }
            uploader(log).sendAll()
            log.file.delete()
            log.append(run(7))
            uploader(log).sendAll()
            assertEquals(4, server.runs.size)
        }
    }

    @Test
    fun `waiting grows to a minute at most, and is at least what the server asks`() {
        val millis = ArrayList<Long>()
        val most = RetryPolicy(sleep = { millis += it }, random = { 1.0 })
        for (number in 1..12) most.wait(number, atLeastSeconds = 0)
        assertEquals(listOf(2000L, 4000L, 8000L, 16_000L, 32_000L, 60_000L, 60_000L), millis.take(7))
        assertEquals(60_000L, millis.last())
        val least = RetryPolicy(sleep = { millis += it }, random = { 0.0 })
        least.wait(1, atLeastSeconds = 7)
        assertEquals(7000L, millis.last())
    }
}

/** A body whose connection is cut. */
internal class BreakingStream(
    content: ByteArray,
) : InputStream() {
    private val stream = ByteArrayInputStream(content)

    override fun read(): Int = stream.read().also { if (it < 0) throw IOException("Connection reset") }

    override fun read(
        buffer: ByteArray,
        offset: Int,
        length: Int,
    ): Int = stream.read(buffer, offset, length).also { if (it < 0) throw IOException("Connection reset") }
}
