package dev.mobisdk.runtime.lab

import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpsConfigurator
import com.sun.net.httpserver.HttpsServer
import dev.mobisdk.runtime.ConfigError
import dev.mobisdk.runtime.ServerError
import dev.mobisdk.runtime.sha256Hex
import org.junit.AfterClass
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.BeforeClass
import org.junit.Test
import java.io.File
import java.net.InetAddress
import java.net.InetSocketAddress
import java.nio.file.Files
import java.security.KeyStore
import java.util.concurrent.TimeUnit
import javax.net.ssl.KeyManagerFactory
import javax.net.ssl.SSLContext
import javax.net.ssl.SSLServerSocket
import kotlin.concurrent.thread

/** Over real sockets and a real TLS handshake, on this computer alone. */
class PinnedTransportTest {
    private fun transport(
        port: Int,
        fingerprint: String = pin,
        idleMillis: Int = 20_000,
    ) = PinnedTransport(PinnedTransport.baseOf("127.0.0.1", port), PinnedTransport.socketFactoryOf(fingerprint), idleMillis)

    private fun <T> serving(
        answer: (HttpExchange) -> Unit,
        body: (port: Int) -> T,
    ): T {
        val server = HttpsServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0)
        server.httpsConfigurator = HttpsConfigurator(tls)
        server.createContext("/") { exchange -> exchange.use(answer) }
        server.start()
        try {
            return body(server.address.port)
        } finally {
            server.stop(0)
        }
    }

    private inline fun HttpExchange.use(body: (HttpExchange) -> Unit) {
        try {
            body(this)
        } finally {
            close()
        }
    }

    @Test
    fun `a request arrives as it is, and the answer comes back`() {
        var seen = ""
        serving({ exchange ->
            val body = exchange.requestBody.readBytes().toString(Charsets.UTF_8)
            val headers = listOf("Authorization", "Accept-Encoding", "Content-Length").map { exchange.requestHeaders.getFirst(it) }
            seen = "${exchange.requestMethod} ${exchange.requestURI} $headers $body"
            exchange.responseHeaders.add("ETag", "\"abc\"")
            exchange.sendResponseHeaders(201, 5)
            exchange.responseBody.write("hello".toByteArray())
        }) { port ->
            val headers = mapOf("Authorization" to "Bearer x")
            transport(port).send(HttpRequest("POST", "/v1/%C3%A9?a=b", headers, "body".toByteArray())).use { answer ->
                assertEquals(201, answer.status)
                assertEquals("\"abc\"", answer.header("etag"))
                assertEquals("hello", answer.body.readBytes().toString(Charsets.UTF_8))
            }
        }
        assertEquals("POST /v1/%C3%A9?a=b [Bearer x, identity, 4] body", seen)
    }

    @Test
    fun `another certificate is refused before anything is sent`() {
        var requests = 0
        serving({ requests++ }) { port ->
            val error = assertThrows(ServerError::class.java) { transport(port, "0".repeat(64)).send(HttpRequest("GET", "/")) }
            assertEquals(
                "the certificate of this server is not the one of its QR code. Join the server again: scan its QR code",
                error.message,
            )
        }
        assertEquals(0, requests)
    }

    @Test
    fun `a redirect is not followed, and an error's body is read`() {
        var requests = 0
        serving({ exchange ->
            requests++
            val status = if (exchange.requestURI.path == "/redirect") 307 else 404
            exchange.responseHeaders.add("Location", "/elsewhere")
            exchange.sendResponseHeaders(status, 2)
            exchange.responseBody.write("no".toByteArray())
        }) { port ->
            for ((path, status) in listOf("/redirect" to 307, "/gone" to 404)) {
                transport(port).send(HttpRequest("GET", path)).use {
                    assertEquals(status, it.status)
                    assertEquals("no", it.body.readBytes().toString(Charsets.UTF_8))
                }
            }
            serving({ exchange -> exchange.sendResponseHeaders(500, -1) }) { other ->
                transport(other).send(HttpRequest("GET", "/")).use { assertEquals(0, it.body.readBytes().size) }
            }
        }
        assertEquals(2, requests)
    }

    @Test
    fun `a server that is gone, silent, or lies about length is told from one that answers`() {
        val free = java.net.ServerSocket(0).use { it.localPort }
        val gone = assertThrows(ServerError::class.java) { transport(free).send(HttpRequest("GET", "/")) }
        assertTrue(gone.message!!, gone.message!!.startsWith("the lab server cannot be reached: "))
        assertTrue(gone.message!!, gone.message!!.endsWith("Is the phone in the computer's network, and mobisdk serve running?"))
        answeringRaw("") { port ->
            val silent = assertThrows(ServerError::class.java) { transport(port, idleMillis = 200).send(HttpRequest("GET", "/")) }
            assertTrue(silent.message!!, silent.message!!.startsWith("the lab server cannot be reached: "))
        }
        answeringRaw(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"bundles\"",
            isClosing = true,
        ) { port ->
            assertThrows(LabRefusal.Retry::class.java) { LabClient(transport(port), "t").requestBundles() }
        }
        answeringRaw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{") { port ->
            val slow = assertThrows(LabRefusal.Retry::class.java) { LabClient(transport(port, idleMillis = 200), "t").requestBundles() }
            assertTrue(slow.error.message!!, slow.error.message!!.startsWith("the connection to the server broke off: "))
        }
        answeringRaw("no HTTP at all\r\n\r\n", isClosing = true) { port ->
            assertThrows(LabRefusal.Retry::class.java) { LabClient(transport(port), "t").requestBundles() }
        }
    }

    @Test
    fun `addresses and paths that are none are refused`() {
        assertThrows(ConfigError::class.java) { PinnedTransport("host", -7, pin) }
        assertThrows(ConfigError::class.java) { transport(1).send(HttpRequest("GET", "//elsewhere/")) }
        assertThrows(ConfigError::class.java) { transport(1).send(HttpRequest("GET", "v1")) }
        assertEquals("https://[fe80::1]:8443/", PinnedTransport.baseOf("fe80::1", 8443).toString())
    }

    /** A TLS server that answers each connection with these bytes, and then hangs or closes. */
    private fun answeringRaw(
        answer: String,
        isClosing: Boolean = false,
        body: (port: Int) -> Unit,
    ) {
        val listener = tls.serverSocketFactory.createServerSocket(0, 5, InetAddress.getLoopbackAddress()) as SSLServerSocket
        val sockets = ArrayList<java.net.Socket>()
        val server =
            thread(isDaemon = true) {
                try {
                    while (true) {
                        val socket = listener.accept()
                        sockets += socket
                        val reader = socket.getInputStream().bufferedReader()
                        while (!reader.readLine().isNullOrEmpty()) continue
                        socket.getOutputStream().write(answer.toByteArray())
                        socket.getOutputStream().flush()
                        if (isClosing) socket.close()
                    }
                } catch (_: java.io.IOException) {
                    return@thread // it was closed
                }
            }
        try {
            body(listener.localPort)
        } finally {
            listener.close()
            sockets.forEach { it.close() }
            server.join(TimeUnit.SECONDS.toMillis(5))
        }
    }

    companion object {
        private const val PASSWORD = "password"
        private val folder = Files.createTempDirectory("mobisdk-tls").toFile()
        private lateinit var tls: SSLContext
        private lateinit var pin: String

        /** A certificate of our own, made by the JDK's keytool: nobody signed it. */
        @BeforeClass
        @JvmStatic
        fun makeCertificate() {
            val file = File(folder, "keys.p12")
            val command =
                listOf(File(System.getProperty("java.home"), "bin/keytool").path) +
                    "-genkeypair -keyalg EC -groupname secp256r1 -dname CN=lab -storetype PKCS12 -alias lab -validity 2".split(' ') +
                    listOf("-storepass", PASSWORD, "-keystore", file.path)
            check(ProcessBuilder(command).redirectErrorStream(true).start().waitFor() == 0)
            val keys = KeyStore.getInstance("PKCS12")
            file.inputStream().use { keys.load(it, PASSWORD.toCharArray()) }
            pin = sha256Hex(keys.getCertificate("lab").encoded)
            val managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm())
            managers.init(keys, PASSWORD.toCharArray())
            tls = SSLContext.getInstance("TLS").apply { init(managers.keyManagers, null, null) }
        }

        @AfterClass
        @JvmStatic
        fun removeCertificate() {
            folder.deleteRecursively()
        }
    }
}
