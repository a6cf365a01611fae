package dev.mobisdk.app.core

import kotlinx.serialization.Serializable
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import java.io.File
import java.io.IOException

/** What survives the end of the process: what the person chose and saw, and nothing secret. */
@Serializable
data class Saved(
    val screen: Screen = Screen.BUNDLES,
    val choice: BenchChoice = BenchChoice(),
    val classifyBundle: String? = null,
    val classified: Classify.Done? = null,
) {
    companion object {
        private val FORMAT = Json { ignoreUnknownKeys = true }

        fun of(state: UiState.Ready): Saved = Saved(state.screen, state.choice, state.classifyBundle, state.classify as? Classify.Done)

        /** A file that is gone, cut or of another version means that nothing was chosen yet. */
        fun read(file: File): Saved =
            try {
                if (file.exists()) FORMAT.decodeFromString(serializer(), file.readText()) else Saved()
            } catch (_: SerializationException) {
                Saved()
            } catch (_: IOException) {
                Saved()
            }

        /** Whole or not at all. */
        fun write(
            saved: Saved,
            file: File,
        ) {
            val partial = File(file.path + ".partial")
            partial.writeText(FORMAT.encodeToString(serializer(), saved))
            if (!partial.renameTo(file)) throw IOException("${file.name} cannot be replaced")
        }
    }
}
