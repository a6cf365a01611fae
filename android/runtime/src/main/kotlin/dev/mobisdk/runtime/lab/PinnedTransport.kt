package dev.mobisdk.runtime.lab

import dev.mobisdk.runtime.ConfigError
import dev.mobisdk.runtime.ServerError
import dev.mobisdk.runtime.shown
import dev.mobisdk.runtime.toHex
import java.io.ByteArrayInputStream
import java.io.IOException
import java.net.HttpURLConnection
import java.net.MalformedURLException
import java.net.URL
import java.security.MessageDigest
import java.security.cert.CertificateException
import java.security.cert.X509Certificate
import javax.net.ssl.HostnameVerifier
import javax.net.ssl.HttpsURLConnection
import javax.net.ssl.SSLContext
import javax.net.ssl.SSLSocketFactory
import javax.net.ssl.X509TrustManager

private const val CONNECT_MILLIS = 10_000
private const val IDLE_MILLIS = 30_000

/**
 * HTTP over TLS to one lab server, known by the certificate whose fingerprint its QR code shows. No other certificate is
 * taken, whoever signed it. Redirects are not followed, nothing is cached, there are no cookies.
 *
 * @param host an address or a name.
 * @param port the server's port.
 * @param fingerprint SHA-256 of the server's certificate (DER), in hexadecimal digits.
 * @throws ConfigError the address is none.
 */
public class PinnedTransport internal constructor(
    private val base: URL,
    private val socketFactory: SSLSocketFactory,
    private val idleMillis: Int,
) : HttpTransport {
    public constructor(host: String, port: Int, fingerprint: String) :
        this(baseOf(host, port), socketFactoryOf(fingerprint), IDLE_MILLIS)

    override fun send(request: HttpRequest): HttpAnswer {
        if (!request.path.startsWith("/") || request.path.startsWith("//")) {
            throw ConfigError("this is no path on a server", got = request.path.shown())
        }
        val connection = URL(base, request.path).openConnection() as HttpsURLConnection
        try {
            prepare(connection, request)
            val status = connection.responseCode
            val fields = connection.headerFields.filterKeys { it != null }.mapValues { it.value.joinToString(", ") }
            val body = if (status < HttpURLConnection.HTTP_BAD_REQUEST) connection.inputStream else connection.errorStream
            return HttpAnswer(status, fields, body ?: ByteArrayInputStream(ByteArray(0)), connection::disconnect)
        } catch (exc: IOException) {
            connection.disconnect()
            throw describe(exc)
        }
    }

    private fun prepare(
        connection: HttpsURLConnection,
        request: HttpRequest,
    ) {
        connection.sslSocketFactory = socketFactory
        // The certificate itself is known: which name it carries says nothing more.
        connection.hostnameVerifier = HostnameVerifier { _, _ -> true }
        connection.instanceFollowRedirects = false
        connection.useCaches = false
        connection.connectTimeout = CONNECT_MILLIS
        connection.readTimeout = idleMillis
        connection.requestMethod = request.method
        // Android asks for gzip by itself, and takes Content-Length away then.
        connection.setRequestProperty("Accept-Encoding", "identity")
        for ((name, value) in request.headers) connection.setRequestProperty(name, value)
        val body = request.body ?: return
        connection.doOutput = true
        connection.setFixedLengthStreamingMode(body.size)
        connection.outputStream.use { it.write(body) }
    }

    private fun describe(exc: IOException): ServerError {
        val isOther = generateSequence<Throwable>(exc) { it.cause }.any { it is OtherCertificate }
        if (isOther) {
            val what = "the certificate of this server is not the one of its QR code"
            return ServerError(what, hint = "Join the server again: scan its QR code", cause = exc)
        }
        val hint = "Is the phone in the computer's network, and mobisdk serve running?"
        return ServerError("the lab server cannot be reached: ${exc.message}", hint = hint, cause = exc)
    }

    internal companion object {
        fun baseOf(
            host: String,
            port: Int,
        ): URL =
            try {
                URL("https", if (':' in host) "[$host]" else host, port, "/")
            } catch (exc: MalformedURLException) {
                throw ConfigError("this is no server's address", got = "$host:$port".shown(), cause = exc)
            }

        fun socketFactoryOf(fingerprint: String): SSLSocketFactory {
            val context = SSLContext.getInstance("TLS")
            context.init(null, arrayOf(PinningTrustManager(fingerprint)), null)
            return context.socketFactory
        }
    }
}

/** Somebody else answers at the server's address. */
private class OtherCertificate : CertificateException("another certificate than the pinned one")

/** Trusts one certificate, by its fingerprint. */
private class PinningTrustManager(
    fingerprint: String,
) : X509TrustManager {
    private val expected = fingerprint.lowercase().toByteArray()

    override fun checkServerTrusted(
        chain: Array<X509Certificate>,
        authType: String,
    ) {
        val digest = MessageDigest.getInstance("SHA-256").digest(chain[0].encoded)
        val fingerprint = digest.toHex().toByteArray()
        if (!MessageDigest.isEqual(fingerprint, expected)) throw OtherCertificate()
    }

    override fun checkClientTrusted(
        chain: Array<X509Certificate>,
        authType: String,
    ): Unit = throw CertificateException("this is no server")

    override fun getAcceptedIssuers(): Array<X509Certificate> = emptyArray()
}
