package dev.mobisdk.runtime.lab

import dev.mobisdk.runtime.ContractFiles
import dev.mobisdk.runtime.LatencyLog
import dev.mobisdk.runtime.ServerError
import dev.mobisdk.runtime.find
import dev.mobisdk.runtime.get
import dev.mobisdk.runtime.items
import dev.mobisdk.runtime.parseLatencyRun
import dev.mobisdk.runtime.string
import dev.mobisdk.runtime.withFolder
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.util.Base64

class LabContractTest {
    private val recorded = RecordedAnswer.all()
    private val bundleFolder = File(ContractFiles.directory, "bundles/android")
    private val waits = FakeWaits()

    @Test
    fun `lists of bundles`() {
        val answers = recorded.filter { it.path.startsWith("/v1/bundles?") }
        assertTrue(answers.size >= 7)
        for (answer in answers) {
            val client = LabClient({ answer.play() }, "a-token")
            val outcome = outcomeOf { client.requestBundles() }
            assertEquals(answer.name, answer.expect, outcome)
        }
        val bundles = LabClient({ recorded.first { it.name == "bundles" }.play() }, "a-token").listBundles()
        val expected =
            BundleSummary(
                "12dac8d60575d6dede2b30b8ec5f314ffad305eb3035b5e99d2e0675b7656c30",
                "mobilenet_v1-a0.25-r8-xnnpack_fp32-12dac8d6",
                928,
                "xnnpack_fp32",
            )
        assertEquals(listOf(expected), bundles)
    }

    @Test
    fun `joining sends no token, and takes the one that comes`() {
        val server = FakeServer()
        val answer = recorded.first { it.name == "join" }
        server.intercept("/v1/tokens") { answer.play() }
        assertEquals("a-token", LabClient(server, "an-old-token").join("one-time-code", "Pixel 8"))
        assertEquals(mapOf("Content-Type" to "application/json"), server.requests[0].headers)
        assertEquals("{\"code\":\"one-time-code\",\"name\":\"Pixel 8\"}", server.requests[0].body!!.toString(Charsets.UTF_8))
        val used = recorded.first { it.name == "join_code_used_twice" }
        server.intercept("/v1/tokens") { used.play() }
        val error = assertThrows(ServerError::class.java) { LabClient(server, null).join("one-time-code", "Pixel 8") }
        assertTrue(error.isTokenVoid)
        assertEquals(
            "the server answered 401: The code was used. Show a new one.. Join the server again: scan its QR code",
            error.message,
        )
    }

    @Test
    fun `files of a bundle`() {
        val answers = recorded.filter { it.path.contains("/files/") }
        assertTrue(answers.size >= 15)
        for (answer in answers) {
            if (answer.expect == "give_up") {
                val (_, bundleId, _, path) = answer.path.removePrefix("/v1/").split('/', limit = 4)
                val client = LabClient({ answer.play() }, "a-token")
                assertEquals(answer.name, "give_up", outcomeOf { client.openFile(path, bundleId, null, 0) })
            } else {
                checkFile(answer)
            }
        }
    }

    private fun checkFile(answer: RecordedAnswer) {
        withFolder { folder ->
            val name = answer.path.substringAfter("/files/")
            val bundleId = answer.path.split('/')[3]
            val have = answer.request.find("have_base64")?.let { Base64.getDecoder().decode(it.string) }
            val partial = File(folder, ".partial-$bundleId")
            partial.mkdirs()
            if (have != null) File(partial, name).writeBytes(have)
            val server = FakeServer(bundleFolder)
            server.intercept(answer.path) { answer.play() }
            val store = BundleStore(folder)
            val bundle = store.download(bundleId, LabClient(server, "a-token"), waits.policy)
            bundle.verifyFiles()
            assertEquals(listOf(bundle.name), store.list().bundles.map { it.name })
            assertFalse(answer.name, partial.exists())
            val requests = server.requestsTo(answer.path)
            val range = have?.let { "bytes=${it.size}-" }
            assertEquals(answer.name, range, requests[0].headers["Range"])
            assertEquals(answer.name, range != null, "If-Range" in requests[0].headers)
            when (answer.expect) {
                "use" -> assertEquals(answer.name, 1, requests.size)
                "resume" -> assertEquals(answer.name, listOf(null, "bytes=24-"), requests.map { it.headers["Range"] })
                "restart_download" -> assertEquals(answer.name, listOf(range, null), requests.map { it.headers["Range"] })
                "retry" -> assertEquals(answer.name, 2, requests.size)
                else -> throw AssertionError("${answer.name} expects ${answer.expect}")
            }
        }
    }

    @Test
    fun `a file that came wrong three times in a row is given up`() {
        for (answer in recorded.filter { it.expect == "restart_download" && it.request.find("have_base64") == null }) {
            withFolder { folder ->
                val server = FakeServer(bundleFolder)
                repeat(5) { server.intercept(answer.path) { answer.play() } }
                val error =
                    assertThrows(ServerError::class.java) {
                        BundleStore(folder).download(answer.path.split('/')[3], LabClient(server, "t"), waits.policy)
                    }
                assertTrue(error.message!!, error.message!!.startsWith("'model.pte' came wrong 3 times: "))
                assertEquals(3, server.requestsTo(answer.path).size)
                assertEquals(0, BundleStore(folder).list().bundles.size)
            }
        }
    }

    @Test
    fun `uploads of three runs`() {
        val answers = recorded.filter { it.path == "/v1/runs" }
        assertTrue(answers.size >= 14)
        for (answer in answers) withFolder { folder -> checkUpload(answer, makeLog(folder)) }
    }

    private fun checkUpload(
        answer: RecordedAnswer,
        log: File,
    ) {
        waits.millis.clear()
        val before = log.readBytes()
        val journal = File(log.path + ".sent")
        val server = FakeServer()
        server.intercept("/v1/runs") {
            assertFalse("nothing is marked as sent before the answer", journal.exists())
            answer.play()
        }
        val uploader = Uploader(log, LabClient(server, "a-token"), waits.policy)
        val outcome =
            try {
                uploader.sendAll()
                null
            } catch (error: ServerError) {
                error
            }
        val progress = uploader.readProgress()
        val sizes = server.requests.map { FakeServer.linesOf(it).size }
        when (answer.expect) {
            "use" -> {
                assertEquals(answer.name, listOf(3), sizes)
                assertEquals(answer.name, 3, progress.accepted + progress.duplicates)
            }

            "reject_line" -> {
                assertEquals(answer.name, listOf(3), sizes)
                assertEquals(listOf(LatencyLog.SetAside(2, "$.mode: 'idle' is not a mode")), progress.rejected)
            }

            "retry" -> {
                assertEquals(answer.name, listOf(3, 3), sizes)
                val least =
                    answer.name
                        .removePrefix("upload_")
                        .toIntOrNull()
                        ?.let { mapOf(429 to 7000L, 503 to 30_000L)[it] } ?: 0
                assertTrue("${answer.name} waited ${waits.millis}", waits.millis.single() in least + 1..least + 2000)
                assertEquals(answer.name, 3, progress.accepted)
            }

            "split" -> {
                assertEquals(answer.name, listOf(3, 1, 1, 1), sizes)
            }

            "sign_in", "give_up" -> {
                assertEquals(answer.name, 1, sizes.size)
                assertEquals(answer.name, answer.expect == "sign_in", outcome!!.isTokenVoid)
                assertFalse(journal.exists())
            }

            else -> {
                throw AssertionError("${answer.name} expects ${answer.expect}")
            }
        }
        assertEquals("the log is as it was", before.toList(), log.readBytes().toList())
        if (outcome == null) assertEquals(log.length(), progress.sentBytes)
    }

    private fun makeLog(folder: File): File {
        val file = File(folder, "log.jsonl")
        val good = File(ContractFiles.directory, "latency/good.jsonl").readLines()
        for (line in good.take(3)) LatencyLog(file).append(parseLatencyRun(line.toByteArray()))
        return file
    }

    @Test
    fun `links of the QR code`() {
        val links = ContractFiles.json("links.json")
        for (case in links["good"].items) {
            val link = JoinLink.parse(case["link"].string)
            val expected = case["expect"]
            val found = listOf(link.host, "${link.port}", link.fingerprint, link.code)
            assertEquals(case["name"].string, listOf("host", "port", "fingerprint", "code").map { expected[it].string }, found)
            assertFalse(link.code in "$link")
        }
        for (case in links["bad"].items + links["without_tls"].items) {
            val error = assertThrows(case["name"].string, ServerError::class.java) { JoinLink.parse(case["link"].string) }
            assertTrue(
                "${case["name"]}: ${error.message}",
                error.what.startsWith("the ${case.find("field")?.string ?: "sha256"} of the join link"),
            )
        }
    }

    private fun outcomeOf(body: () -> Unit): String =
        try {
            body()
            "use"
        } catch (refusal: LabRefusal) {
            when (refusal) {
                is LabRefusal.Retry -> "retry"
                is LabRefusal.SignIn -> "sign_in"
                is LabRefusal.Split -> "split"
                is LabRefusal.GiveUp -> "give_up"
            }
        }
}
