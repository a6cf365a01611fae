package dev.mobisdk.runtime.lab

import dev.mobisdk.runtime.JsonMismatch
import dev.mobisdk.runtime.JsonReader
import dev.mobisdk.runtime.MalformedJson
import dev.mobisdk.runtime.OddJsonValue
import dev.mobisdk.runtime.SECOND_NS
import dev.mobisdk.runtime.ServerError
import dev.mobisdk.runtime.StrictJson
import dev.mobisdk.runtime.shown
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.util.zip.GZIPOutputStream

private const val LARGEST_ANSWER_BYTES = 1024 * 1024
private const val LONGEST_ANSWER_NS = 60 * SECOND_NS
private const val LONGEST_DETAIL = 500
private const val LONGEST_TOKEN = 4096
private const val CHUNK_BYTES = 64 * 1024

/**
 * A bundle that the lab server offers.
 *
 * @property bundleId 64 hexadecimal digits.
 * @property name what a list shows. It comes from the server and names no file.
 * @property sizeBytes of all its files.
 * @property recipe how the network was lowered.
 */
public data class BundleSummary(
    val bundleId: String,
    val name: String,
    val sizeBytes: Long,
    val recipe: String,
)

/** What the server did with the lines of one body; [rejected] is from line, counted from 1, to reason. */
internal class UploadAnswer(
    val accepted: Int,
    val duplicates: Int,
    val rejected: Map<Int, String>,
)

/**
 * Speaks the lab server's protocol over any transport; whatever the server says is checked.
 *
 * @param transport how requests reach the server.
 * @param token this phone's own, from [join]; null before that.
 */
public class LabClient(
    private val transport: HttpTransport,
    private val token: String?,
) {
    /**
     * Exchanges the one-time code of a QR for a token of this phone's own.
     *
     * @throws ServerError the code was used already or is wrong, or the server cannot be reached.
     */
    public fun join(
        code: String,
        deviceName: String,
    ): String {
        val body = JsonObject(mapOf("code" to JsonPrimitive(code), "name" to JsonPrimitive(deviceName))).toString()
        val request = HttpRequest("POST", "/v1/tokens", mapOf("Content-Type" to "application/json"), body.toByteArray())
        return unwrapped { exchange(request, withToken = false) { it["token"].text(1..LONGEST_TOKEN) } }
    }

    /**
     * The bundles that the server has for Android.
     *
     * @throws ServerError the server refuses, cannot be reached, or answers what it should not.
     */
    public fun listBundles(): List<BundleSummary> = unwrapped { requestBundles() }

    /** Throws [LabRefusal]. */
    internal fun requestBundles(): List<BundleSummary> =
        exchange(HttpRequest("GET", "/v1/bundles?platform=android")) { document ->
            document["bundles"].items().map {
                BundleSummary(
                    bundleId = it["bundle_id"].sha256(),
                    name = it["name"].text(),
                    sizeBytes = it["size_bytes"].count(),
                    recipe = it["recipe"].text(),
                )
            }
        }

    /** Throws [LabRefusal]. */
    internal fun upload(lines: List<ByteArray>): UploadAnswer {
        val packed = ByteArrayOutputStream()
        GZIPOutputStream(packed).use { gzip ->
            for (line in lines) {
                gzip.write(line)
                gzip.write('\n'.code)
            }
        }
        val headers = mapOf("Content-Type" to "application/x-ndjson", "Content-Encoding" to "gzip")
        return exchange(HttpRequest("POST", "/v1/runs", headers, packed.toByteArray()), ::nonsensical) { readUploadAnswer(it, lines.size) }
    }

    /** Nothing is marked as sent on an answer that makes no sense. */
    private fun nonsensical(error: ServerError) = LabRefusal.Retry(error)

    private fun readUploadAnswer(
        document: JsonReader,
        lines: Int,
    ): UploadAnswer {
        val rejected = HashMap<Int, String>()
        for (item in document["rejected"].items()) {
            val line = item["line"]
            if (rejected.put(line.count().toInt(), item["reason"].text(0..LONGEST_REASON)) != null) line.fail("a line is rejected twice")
        }
        val accepted = document["accepted"].count()
        val duplicates = document["duplicates"].count()
        if (accepted + duplicates + rejected.size != lines.toLong() || rejected.keys.any { it !in 1..lines }) {
            throw nonsensical(ServerError("the server's counts do not add up to the $lines runs that were sent"))
        }
        return UploadAnswer(accepted.toInt(), duplicates.toInt(), rejected)
    }

    /** The head of a file's transfer, and its bytes as they come; [resumeAt] bytes are here already. Throws [LabRefusal]. */
    internal fun openFile(
        path: String,
        bundleId: String,
        sha256: String?,
        resumeAt: Long,
    ): HttpAnswer {
        val encoded = path.split('/').joinToString("/", transform = ::percentEncode)
        val headers =
            if (resumeAt > 0 && sha256 != null) mapOf("Range" to "bytes=$resumeAt-", "If-Range" to "\"$sha256\"") else emptyMap()
        val answer = send(HttpRequest("GET", "/v1/bundles/$bundleId/files/$encoded", headers))
        if (answer.status != RANGE_NOT_SATISFIABLE) refuseUnlessSuccess(answer)
        return answer
    }

    private fun <T> exchange(
        request: HttpRequest,
        onMismatch: (ServerError) -> LabRefusal = { LabRefusal.GiveUp(it) },
        withToken: Boolean = true,
        read: (JsonReader) -> T,
    ): T =
        send(request, withToken).use { answer ->
            refuseUnlessSuccess(answer)
            val document = readJson(answer)
            try {
                read(JsonReader(document))
            } catch (exc: JsonMismatch) {
                throw onMismatch(ServerError("the server's answer is wrong at ${exc.path}: ${exc.reason}", cause = exc))
            }
        }

    private fun send(
        request: HttpRequest,
        withToken: Boolean = true,
    ): HttpAnswer {
        val headers = if (withToken && token != null) request.headers + ("Authorization" to "Bearer $token") else request.headers
        try {
            return transport.send(HttpRequest(request.method, request.path, headers, request.body))
        } catch (error: ServerError) {
            throw LabRefusal.Retry(error)
        }
    }

    private fun readJson(answer: HttpAnswer): JsonElement {
        val what = "the server's answer is not JSON"
        try {
            return StrictJson.parse(collect(answer, LARGEST_ANSWER_BYTES))
        } catch (exc: MalformedJson) {
            val hint = "Is another server at this address, or a sign-in page of the network?"
            throw LabRefusal.Retry(ServerError(what, got = answer.header("Content-Type")?.shown(), hint = hint, cause = exc))
        } catch (exc: OddJsonValue) {
            throw LabRefusal.GiveUp(ServerError("the server's answer is wrong at ${exc.path}", got = exc.value, cause = exc))
        }
    }

    private fun refuseUnlessSuccess(answer: HttpAnswer) {
        if (answer.status in SUCCESS) return
        val problem = answer.use { describeProblem(it) }
        throw when (answer.status) {
            401 -> LabRefusal.SignIn(ServerError(problem, hint = "Join the server again: scan its QR code", isTokenVoid = true))
            413 -> LabRefusal.Split(ServerError(problem))
            408, 425, 429, in 500..599 -> LabRefusal.Retry(ServerError(problem), readRetryAfter(answer))
            else -> LabRefusal.GiveUp(ServerError(problem))
        }
    }

    private fun readRetryAfter(answer: HttpAnswer): Int =
        answer.header("Retry-After")?.toIntOrNull()?.coerceIn(0, LONGEST_RETRY_AFTER_SECONDS) ?: 0

    /** The sentence of an RFC 9457 problem, or the status alone. */
    private fun describeProblem(answer: HttpAnswer): String {
        val plain = "the server answered ${answer.status}"
        val detail =
            try {
                JsonReader(StrictJson.parse(collect(answer, LARGEST_ANSWER_BYTES)))["detail"].text()
            } catch (_: MalformedJson) {
                return plain
            } catch (_: OddJsonValue) {
                return plain
            } catch (_: JsonMismatch) {
                return plain
            } catch (_: LabRefusal) {
                return plain
            }
        return "$plain: ${detail.take(LONGEST_DETAIL).replace('\n', ' ')}"
    }

    internal companion object {
        const val RANGE_NOT_SATISFIABLE = 416
        private const val LONGEST_RETRY_AFTER_SECONDS = 3600
        private const val LONGEST_REASON = 10_000
        private val SUCCESS = 200..299
        private const val UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

        private fun percentEncode(part: String): String =
            part.toByteArray().joinToString("") { byte ->
                val code = byte.toInt() and 0xFF
                if (code.toChar() in UNRESERVED) "${code.toChar()}" else "%" + code.toString(16).uppercase().padStart(2, '0')
            }

        /** Reads a whole body, no more of it than [most] bytes whatever its length says, and not for ever. */
        fun collect(
            answer: HttpAnswer,
            most: Int,
        ): ByteArray {
            val body = ByteArrayOutputStream()
            val chunk = ByteArray(CHUNK_BYTES)
            val begun = System.nanoTime()
            try {
                while (true) {
                    val count = answer.body.read(chunk)
                    if (count < 0) return body.toByteArray()
                    body.write(chunk, 0, count)
                    if (body.size() > most) {
                        val hint = "Is it a mobisdk server?"
                        throw LabRefusal.GiveUp(ServerError("the server's answer is too large", got = "more than $most bytes", hint = hint))
                    }
                    if (System.nanoTime() - begun > LONGEST_ANSWER_NS) {
                        throw LabRefusal.Retry(ServerError("the server's answer takes longer than a minute", hint = "Try again later"))
                    }
                }
            } catch (exc: IOException) {
                throw LabRefusal.Retry(ServerError("the connection to the server broke off: ${exc.message}", cause = exc))
            }
        }
    }
}
