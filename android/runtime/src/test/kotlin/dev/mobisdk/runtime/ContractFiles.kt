package dev.mobisdk.runtime

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
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
