package dev.mobisdk.runtime.lab

import java.io.Closeable
import java.io.InputStream

/**
 * What a request asks of the lab server.
 *
 * @property method "GET" or "POST".
 * @property path from the server's root, percent-encoded: "/v1/runs".
 * @property headers header fields.
 * @property body null for GET.
 */
public class HttpRequest(
    public val method: String,
    public val path: String,
    public val headers: Map<String, String> = emptyMap(),
    public val body: ByteArray? = null,
)

/**
 * What a server answers: the head, then the body as it comes. Closing it ends the transfer.
 *
 * @property status the status code.
 * @property body the bytes as they come.
 */
public class HttpAnswer(
    public val status: Int,
    headers: Map<String, String>,
    public val body: InputStream,
    private val onClose: () -> Unit = {},
) : Closeable {
    private val headers = headers.mapKeys { it.key.lowercase() }

    /** A header field, whatever the case of its name; null where there is none. */
    public fun header(name: String): String? = headers[name.lowercase()]

    override fun close() {
        body.close()
        onClose()
    }
}

/** How requests reach the lab server. [PinnedTransport] does it for real. */
public fun interface HttpTransport {
    /**
     * Returns when the head is there; redirects are not followed.
     *
     * @throws ServerError the server cannot be reached.
     */
    public fun send(request: HttpRequest): HttpAnswer
}
