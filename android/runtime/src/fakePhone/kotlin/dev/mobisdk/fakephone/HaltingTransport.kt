package dev.mobisdk.fakephone

import dev.mobisdk.runtime.lab.HttpAnswer
import dev.mobisdk.runtime.lab.HttpRequest
import dev.mobisdk.runtime.lab.HttpTransport
import java.io.InputStream

private const val CHUNK_BYTES = 24

/** Ends the process in the worst moments of a transfer. */
internal class HaltingTransport(
    private val transport: HttpTransport,
    private val halt: String?,
) : HttpTransport {
    override fun send(request: HttpRequest): HttpAnswer {
        val answer = transport.send(request)
        if (halt == "answer" && request.path == "/v1/runs") haltNow()
        if (halt != "download" || !request.path.endsWith("/model.pte")) return answer
        val fields =
            listOf("Content-Type", "Content-Length", "ETag", "X-Content-SHA256").mapNotNull { name ->
                answer.header(name)?.let {
                    name to
                        it
                }
            }
        return HttpAnswer(answer.status, fields.toMap(), HaltingStream(answer.body), answer::close)
    }
}

/** Gives one small piece, and no second one. */
private class HaltingStream(
    private val stream: InputStream,
) : InputStream() {
    private var given = 0

    override fun read(): Int = stream.read()

    override fun read(
        buffer: ByteArray,
        offset: Int,
        length: Int,
    ): Int {
        if (given > 0) haltNow()
        return stream.read(buffer, offset, minOf(length, CHUNK_BYTES)).also { given += it }
    }
}
