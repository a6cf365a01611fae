package dev.mobisdk.runtime.lab

import dev.mobisdk.runtime.ServerError
import dev.mobisdk.runtime.shown
import java.io.ByteArrayOutputStream
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException

private const val LONGEST_LINK = 2048
private const val LONGEST_NAME = 253
private const val LARGEST_PORT = 65_535
private const val IPV6_GROUPS = 8
private const val HEX = 16

/**
 * The link in the lab server's QR code: where the server is, how to know it, and the one-time code. Anybody can print a QR
 * code: an app shows the host and asks before it joins. A link without a certificate is refused.
 *
 * @property host a name, an IPv4 address, or an IPv6 address without brackets.
 * @property port the server's port.
 * @property fingerprint SHA-256 of the server's certificate (DER): 64 lowercase hexadecimal digits.
 * @property code exchanged for a token, once.
 */
public data class JoinLink(
    val host: String,
    val port: Int,
    val fingerprint: String,
    val code: String,
) {
    /** The code is a secret. */
    override fun toString(): String = "JoinLink($host:$port)"

    /** Reads links. */
    public companion object {
        private val FINGERPRINT = Regex("[0-9a-f]{64}")
        private val CODE = Regex("[A-Za-z0-9_-]{16,64}")
        private val ADDRESS = Regex("(?:\\[([^\\[\\]]*)]|([^:\\[\\]]*)):([0-9]{1,5})")
        private val NAME = Regex("[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
        private val GROUP = Regex("[0-9A-Fa-f]{1,4}")
        private val IPV4 = Regex("(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\\.(?=.)|\\z)){4}")

        /**
         * Reads `mobisdk://join?v=1&address=…&sha256=…&code=…`.
         *
         * @throws ServerError names the part that is wrong.
         */
        public fun parse(link: String): JoinLink {
            if (link.codePointCount(0, link.length) > LONGEST_LINK) throw refuse("link", null, "at most $LONGEST_LINK characters")
            val head = link.substringBefore('?')
            if (!head.startsWith("mobisdk://", ignoreCase = true)) throw refuse("scheme", head, "mobisdk://")
            val action = head.substringAfter("://")
            if (action != "join" || '#' in link) throw refuse("action", action, "join")
            val values = readQuery(link.substringAfter('?', ""))
            if (values["v"] != "1") {
                throw ServerError("the v of the join link is of a newer server", got = values["v"]?.shown(), hint = "Update the app")
            }
            val address = values["address"]
            val (host, port) = address?.let(::readAddress) ?: throw refuse("address", address, "host:port, an IPv6 address in brackets")
            val fingerprint = values["sha256"]
            if (fingerprint == null || !FINGERPRINT.matches(fingerprint)) throw refuse("sha256", fingerprint, "64 hexadecimal digits")
            val code = values["code"]
            if (code == null || !CODE.matches(code)) throw refuse("code", null, "16 to 64 of A-Z a-z 0-9 - _") // a secret is not shown
            return JoinLink(host, port, fingerprint, code)
        }

        private fun refuse(
            part: String,
            got: String?,
            allowed: String,
        ) = ServerError("the $part of the join link is wrong", got = got?.shown(), allowed = allowed, hint = "Scan the QR code again")

        private fun readQuery(query: String): Map<String, String> {
            val values = HashMap<String, String>()
            for (pair in query.split('&')) {
                val key = pair.substringBefore('=')
                val value = percentDecode(pair.substringAfter('=', "")) ?: ""
                if (values.put(key, value) != null) throw refuse(key, "two of them", "one")
            }
            return values
        }

        private fun readAddress(text: String): Pair<String, Int>? {
            val (bracketed, name, digits) = ADDRESS.matchEntire(text)?.destructured ?: return null
            val port = digits.toInt()
            if (port !in 1..LARGEST_PORT) return null
            if (text.startsWith("[")) return if (isIpv6(bracketed)) bracketed to port else null
            return if (name.length <= LONGEST_NAME && NAME.matches(name)) name to port else null
        }

        /** RFC 4291, section 2.2: eight groups, one run of zeros may be left out, the last two may be an IPv4 address. */
        private fun isIpv6(text: String): Boolean {
            val halves = text.split("::")
            if (halves.size > 2) return false
            val groups = halves.flatMap { if (it.isEmpty()) emptyList() else it.split(':') }
            val tail = groups.lastOrNull()?.takeIf { '.' in it && !text.endsWith(":") }
            if (tail != null && !IPV4.matches(tail)) return false
            val plain = if (tail == null) groups else groups.dropLast(1)
            val count = plain.size + if (tail == null) 0 else 2
            return plain.all(GROUP::matches) && if (halves.size == 2) count < IPV6_GROUPS else count == IPV6_GROUPS
        }

        /** Null where an escape is none, or what it spells is not UTF-8. */
        private fun percentDecode(text: String): String? {
            val decoded = ByteArrayOutputStream()
            val raw = text.toByteArray()
            var index = 0
            while (index < raw.size) {
                if (raw[index] != '%'.code.toByte()) {
                    decoded.write(raw[index++].toInt())
                    continue
                }
                if (index + 2 >= raw.size) return null
                val high = Character.digit(raw[index + 1].toInt(), HEX)
                val low = Character.digit(raw[index + 2].toInt(), HEX)
                if (high < 0 || low < 0) return null
                decoded.write(high * HEX + low)
                index += 3
            }
            return try {
                Charsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(decoded.toByteArray()))
                    .toString()
            } catch (_: CharacterCodingException) {
                null
            }
        }
    }
}
