package dev.mobisdk.runtime

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.io.ByteArrayOutputStream
import java.io.File
import java.nio.file.Files

/** The golden files of `tests/contract`, which Python and Swift read too. */
internal object ContractFiles {
    val directory: File =
        generateSequence(File("").absoluteFile) { it.parentFile }
            .map { File(it, "tests/contract") }
            .first { it.isDirectory }

    fun json(name: String): JsonElement = Json.parseToJsonElement(File(directory, name).readText())
}

internal operator fun JsonElement.get(key: String): JsonElement = (this as JsonObject).getValue(key)

internal fun JsonElement.find(key: String): JsonElement? = (this as JsonObject)[key].takeIf { it !is JsonNull }

internal val JsonElement.items: List<JsonElement> get() = this as JsonArray

internal val JsonElement.string: String get() = (this as JsonPrimitive).content

internal val JsonElement.int: Int get() = string.toInt()

/** Runs [body] with an empty folder that is removed afterwards. */
internal fun <T> withFolder(body: (File) -> T): T {
    val folder = Files.createTempDirectory("mobisdk-test").toFile()
    try {
        return body(folder)
    } finally {
        folder.deleteRecursively()
    }
}

/** A manifest as the contract's cases change it. */
internal fun applyEdits(
    content: ByteArray,
    edits: List<JsonElement>,
): ByteArray {
    val made = ByteArrayOutputStream()
    var position = 0
    for (edit in edits) {
        val at = edit["at"].int
        made.write(content, position, at - position)
        val hex = edit.find("insert_hex")?.string
        val insertion = hex?.chunked(2)?.map { it.toInt(16).toByte() }?.toByteArray() ?: edit["insert"].string.toByteArray()
        repeat(edit.find("times")?.int ?: 1) { made.write(insertion) }
        position = at + edit["remove"].int
    }
    made.write(content, position, content.size - position)
    return made.toByteArray()
}
