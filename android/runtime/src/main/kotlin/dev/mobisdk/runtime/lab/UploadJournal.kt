package dev.mobisdk.runtime.lab

import dev.mobisdk.runtime.DeviceError
import dev.mobisdk.runtime.JsonMismatch
import dev.mobisdk.runtime.JsonReader
import dev.mobisdk.runtime.LatencyLog
import dev.mobisdk.runtime.MalformedJson
import dev.mobisdk.runtime.OddJsonValue
import dev.mobisdk.runtime.StrictJson
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.nio.file.Files
import java.nio.file.StandardCopyOption

/** `<log>.sent`: what the server answered, written whole or not at all. */
internal class UploadJournal(
    log: File,
) {
    private val file = File(log.path + ".sent")

    /** A journal that is gone or damaged means that nothing was sent: the server drops what it has already. */
    fun read(): UploadProgress {
        if (!file.exists()) return UploadProgress()
        return try {
            val document = JsonReader(StrictJson.parse(file.readBytes()))
            UploadProgress(
                sentBytes = document["sent_bytes"].count(),
                accepted = document["accepted"].count().toInt(),
                duplicates = document["duplicates"].count().toInt(),
                rejected =
                    document["rejected"].items().map {
                        LatencyLog.SetAside(it["line"].count().toInt(), it["reason"].text(0..LONGEST_REASON))
                    },
            )
        } catch (_: MalformedJson) {
            UploadProgress()
        } catch (_: OddJsonValue) {
            UploadProgress()
        } catch (_: JsonMismatch) {
            UploadProgress()
        }
    }

    /** Throws [DeviceError]; the journal is as it was then. */
    fun write(progress: UploadProgress) {
        val rejected =
            progress.rejected.map { JsonObject(mapOf("line" to JsonPrimitive(it.line), "reason" to JsonPrimitive(it.reason))) }
        val document =
            JsonObject(
                mapOf(
                    "sent_bytes" to JsonPrimitive(progress.sentBytes),
                    "accepted" to JsonPrimitive(progress.accepted),
                    "duplicates" to JsonPrimitive(progress.duplicates),
                    "rejected" to JsonArray(rejected),
                ),
            )
        val partial = File(file.path + ".partial")
        try {
            FileOutputStream(partial).use {
                it.write(document.toString().toByteArray())
                it.fd.sync()
            }
            Files.move(partial.toPath(), file.toPath(), StandardCopyOption.ATOMIC_MOVE)
        } catch (exc: IOException) {
            val hint = "Free some space and upload again"
            throw DeviceError("what was sent cannot be noted: ${exc.message}", hint = hint, cause = exc)
        }
    }

    private companion object {
        const val LONGEST_REASON = 20_000
    }
}
