package dev.mobisdk.runtime.lab

import dev.mobisdk.runtime.ServerError
import dev.mobisdk.runtime.shown
import java.io.ByteArrayOutputStream
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException

private const val LONGEST_LINK = 2048
private const val LONGEST_HOST = 253
private const val LONGEST_CODE = 128
private const val MOST_PORT_DIGITS = 5
private const val LARGEST_PORT = 65_535
private const val HEX = 16

/**
 * The link in the lab server's QR code: where the server is, how to know it, and the one-time code. Anybody can print a QR
 * code: an app shows the host and asks before it joins.
 *
 * @property host an IPv4 or IPv6 address, or a name.
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
        /**
         * Reads `mobisdk://join?host=…&port=…&fingerprint=…&code=…`.
         *
         * @throws ServerError names the part that is wrong.
         */
        public fun parse(link: String): JoinLink {
            if (link.codePointCount(0, link.length) > LONGEST_LINK) throw refuse("link", link, "at most $LONGEST_LINK characters")
            val head = link.substringBefore('?').lowercase()
            if (!head.startsWith("mobisdk://")) throw refuse("scheme", link, "mobisdk://")
            if (head != "mobisdk://join" || '#' in link) throw refuse("action", link, "join")
            val pairs = link.substringAfter('?', "").split('&')

            fun value(
                key: String,
                allowed: String,
                isRight: (String) -> Boolean,
            ): String {
                val values =
                    pairs.filter { it.substringBefore('=') == key }.map {
                        if ('=' in
                            it
                        ) {
                            percentDecode(it.substringAfter('='))
                        } else {
                            null
                        }
                    }
                val text = values.singleOrNull()
                if (text == null || !isRight(text)) throw refuse(key, values.firstOrNull() ?: "nothing", allowed)
                return text
            }
            return JoinLink(
                host = value("host", "one address or name", ::isHost),
                port = value("port", "one number from 1 to $LARGEST_PORT", ::isPort).toInt(),
                fingerprint = value("fingerprint", "64 hexadecimal digits, once", FINGERPRINT::matches).lowercase(),
                code = value("code", "1 to $LONGEST_CODE of A-Z a-z 0-9 - _, once", CODE::matches),
            )
        }

        private val FINGERPRINT = Regex("[0-9A-Fa-f]{64}")
        private val CODE = Regex("[A-Za-z0-9_-]{1,$LONGEST_CODE}")
        private val PORT = Regex("[0-9]{1,$MOST_PORT_DIGITS}")
        private val NAME = Regex("[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
        private val GROUP = Regex("[0-9A-Fa-f]{1,4}")
        private val IPV4 = Regex("((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\\.|\\z)){4}")

        private fun refuse(
            part: String,
            got: String,
            allowed: String,
        ) = ServerError("the $part of the join link is wrong", got = got.shown(), allowed = allowed, hint = "Scan the QR code again")

        private fun isPort(text: String) = PORT.matches(text) && text.toInt() in 1..LARGEST_PORT

        private fun isHost(text: String): Boolean = if (':' in text) isIpv6(text) else text.length <= LONGEST_HOST && NAME.matches(text)

        /** RFC 4291, section 2.2: eight groups, one run of zeros may be left out, the last two may be an IPv4 address. */
        private fun isIpv6(text: String): Boolean {
            val halves = text.split("::")
            if (halves.size > 2) return false
            val groups = halves.map { if (it.isEmpty()) emptyList() else it.split(':') }
            val last = groups.last().lastOrNull()
            val hasIpv4 = last != null && '.' in last
            val plain = groups.flatten().let { if (hasIpv4) it.dropLast(1) else it }
            if (hasIpv4 && !IPV4.matches(last)) return false
            val count = plain.size + if (hasIpv4) 2 else 0
            return plain.all(GROUP::matches) && if (halves.size == 2) count < GROUPS else count == GROUPS
        }

        private const val GROUPS = 8

        /** Null where an escape is none, or what it spells is not UTF-8. */
        private fun percentDecode(text: String): String? {
            val bytes = ByteArrayOutputStream()
            var index = 0
            val raw = text.toByteArray()
            while (index < raw.size) {
                if (raw[index] != '%'.code.toByte()) {
                    bytes.write(raw[index++].toInt())
                    continue
                }
                if (index + 2 >= raw.size) return null
                val high = Character.digit(raw[index + 1].toInt(), HEX)
                val low = Character.digit(raw[index + 2].toInt(), HEX)
                if (high < 0 || low < 0) return null
                bytes.write(high * HEX + low)
                index += 3
            }
            return try {
                Charsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes.toByteArray()))
                    .toString()
            } catch (_: CharacterCodingException) {
                null
            }
        }
    }
}
