package dev.mobisdk.app

import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import android.util.Base64
import dev.mobisdk.app.core.formatAddress
import kotlinx.serialization.Serializable
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import java.io.File
import java.io.IOException
import java.security.GeneralSecurityException
import java.security.KeyStore
import java.security.ProviderException
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

private const val KEY_NAME = "lab-token"
private const val STORE = "AndroidKeyStore"
private const val CIPHER = "AES/GCM/NoPadding"
private const val TAG_BITS = 128

/** The lab server that this phone joined. The token is sealed with a key that never leaves the phone's Keystore. */
class LabAccount(
    val host: String,
    val port: Int,
    val fingerprint: String,
    val token: String,
) {
    val address: String get() = formatAddress(host, port)

    @Serializable
    private class Sealed(
        val host: String,
        val port: Int,
        val fingerprint: String,
        val iv: String,
        val token: String,
    )

    companion object {
        /** Null where none was joined, or the key is gone: after a reset of the screen lock, or on another phone. */
        fun read(file: File): LabAccount? {
            try {
                if (!file.exists()) return null
                val sealed = Json.decodeFromString(Sealed.serializer(), file.readText())
                val key = KeyStore.getInstance(STORE).apply { load(null) }.getKey(KEY_NAME, null) as? SecretKey ?: return null
                val cipher = Cipher.getInstance(CIPHER)
                cipher.init(Cipher.DECRYPT_MODE, key, GCMParameterSpec(TAG_BITS, decode(sealed.iv)))
                cipher.updateAAD(sealed.fingerprint.toByteArray())
                val token = String(cipher.doFinal(decode(sealed.token)))
                return LabAccount(sealed.host, sealed.port, sealed.fingerprint, token)
            } catch (_: GeneralSecurityException) {
                return null
            } catch (_: ProviderException) {
                return null
            } catch (_: SerializationException) {
                return null
            } catch (_: IllegalArgumentException) {
                return null // Base64 that is none
            } catch (_: IOException) {
                return null
            }
        }

        /** Throws [GeneralSecurityException], [IOException]. */
        fun write(
            account: LabAccount,
            file: File,
        ) {
            val cipher = Cipher.getInstance(CIPHER)
            cipher.init(Cipher.ENCRYPT_MODE, makeKey())
            cipher.updateAAD(account.fingerprint.toByteArray())
            val token = cipher.doFinal(account.token.toByteArray())
            val sealed = Sealed(account.host, account.port, account.fingerprint, encode(cipher.iv), encode(token))
            val partial = File(file.path + ".partial")
            partial.writeText(Json.encodeToString(Sealed.serializer(), sealed))
            if (!partial.renameTo(file)) throw IOException("${file.name} cannot be replaced")
        }

        fun forget(file: File) {
            file.delete()
            try {
                KeyStore.getInstance(STORE).apply { load(null) }.deleteEntry(KEY_NAME)
            } catch (_: GeneralSecurityException) {
                // The key opens nothing without the file.
            }
        }

        private fun makeKey(): SecretKey {
            val generator = KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, STORE)
            val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
            generator.init(
                KeyGenParameterSpec
                    .Builder(KEY_NAME, purposes)
                    .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
                    .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
                    .build(),
            )
            return generator.generateKey()
        }

        private fun encode(content: ByteArray): String = Base64.encodeToString(content, Base64.NO_WRAP)

        private fun decode(text: String): ByteArray = Base64.decode(text, Base64.NO_WRAP)
    }
}
