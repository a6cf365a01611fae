package dev.mobisdk.runtime.lab

import dev.mobisdk.runtime.ContractFiles
import dev.mobisdk.runtime.find
import dev.mobisdk.runtime.get
import dev.mobisdk.runtime.int
import dev.mobisdk.runtime.sha256Hex
import dev.mobisdk.runtime.string
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import java.io.ByteArrayInputStream
import java.io.File
import java.io.InputStream
import java.io.SequenceInputStream
import java.util.Base64
import java.util.zip.GZIPInputStream

/** An answer of `tests/contract/server`. */
internal class RecordedAnswer(
    val name: String,
    private val document: JsonElement,
) {
    val request get() = document["request"]
    val expect get() = document["expect"].string

    val path get() = request["path"].string

    fun play(): HttpAnswer {
        val response = document["response"]
        val text = response.find("body")?.string?.toByteArray()
        val body = text ?: Base64.getDecoder().decode(response["body_base64"].string)
        val headers = (response["headers"] as JsonObject).mapValues { it.value.string }
        val repeated = response.find("then_repeat")?.let { EndlessStream(it.string[0], response["times"].int) }
        val stream = ByteArrayInputStream(body)
        return HttpAnswer(response["status"].int, headers, if (repeated == null) stream else SequenceInputStream(stream, repeated))
    }

    companion object {
        fun all(): List<RecordedAnswer> =
            File(ContractFiles.directory, "server").listFiles()!!.sorted().map {
                RecordedAnswer(it.nameWithoutExtension, ContractFiles.json("server/${it.name}"))
            }
    }
}

/** One letter many times, which never lies in memory as a whole. */
private class EndlessStream(
    private val letter: Char,
    private var left: Int,
) : InputStream() {
    override fun read(): Int = if (left-- > 0) letter.code else -1
}

/** Answers as the lab server does, from a bundle's folder; [interceptions] come first, one a request of the path. */
internal class FakeServer(
    private val bundle: File? = null,
) : HttpTransport {
    val requests = ArrayList<HttpRequest>()
    val interceptions = HashMap<String, ArrayDeque<() -> HttpAnswer>>()

    /** Runs by their ids, as the server keeps them. */
    val runs = LinkedHashMap<String, String>()

    fun intercept(
        path: String,
        answer: () -> HttpAnswer,
    ) {
        interceptions.getOrPut(path) { ArrayDeque() }.addLast(answer)
    }

    override fun send(request: HttpRequest): HttpAnswer {
        requests += request
        interceptions[request.path]?.removeFirstOrNull()?.let { return it() }
        return when {
            request.path == "/v1/runs" -> takeRuns(request)
            "/files/" in request.path -> sendFile(request)
            else -> problem(404)
        }
    }

    fun requestsTo(path: String) = requests.filter { it.path == path }

    private fun takeRuns(request: HttpRequest): HttpAnswer {
        val lines = linesOf(request)
        val fresh =
            lines.count { line ->
                val id = Regex("\"run_id\":\"([^\"]*)\"").find(line)!!.groupValues[1]
                runs.put(id, line) == null
            }
        return json("{\"accepted\": $fresh, \"duplicates\": ${lines.size - fresh}, \"rejected\": []}")
    }

    private fun sendFile(request: HttpRequest): HttpAnswer {
        val file = File(bundle!!, request.path.substringAfter("/files/"))
        if (!file.isFile) return problem(404)
        val content = file.readBytes()
        val hash = sha256Hex(content)
        val headers =
            mapOf(
                "Content-Type" to "application/octet-stream",
                "ETag" to "\"$hash\"",
                "X-Content-SHA256" to hash,
                "Accept-Ranges" to "bytes",
            )
        val start = request.headers["Range"]?.let { Regex("bytes=([0-9]+)-").matchEntire(it)!!.groupValues[1].toInt() }
        if (start == null || request.headers["If-Range"] != "\"$hash\"") return answer(200, headers, content)
        val range = "Content-Range" to "bytes $start-${content.size - 1}/${content.size}"
        return answer(206, headers + range, content.copyOfRange(start, content.size))
    }

    companion object {
        fun linesOf(request: HttpRequest): List<String> =
            GZIPInputStream(ByteArrayInputStream(request.body))
                .readBytes()
                .toString(Charsets.UTF_8)
                .split('\n')
                .dropLast(1)

        fun json(body: String) = answer(200, mapOf("Content-Type" to "application/json"), body.toByteArray())

        fun problem(
            status: Int,
            headers: Map<String, String> = emptyMap(),
        ) = answer(status, headers + ("Content-Type" to "application/problem+json"), "{\"detail\": \"Because of $status.\"}".toByteArray())

        fun answer(
            status: Int,
            headers: Map<String, String>,
            body: ByteArray,
        ) = HttpAnswer(status, headers + ("Content-Length" to "${body.size}"), ByteArrayInputStream(body))
    }
}

/** Waits that are written down and not waited. */
internal class FakeWaits {
    val millis = ArrayList<Long>()
    val policy = RetryPolicy(attempts = 4, sleep = { millis += it }, random = { 0.5 })
}
