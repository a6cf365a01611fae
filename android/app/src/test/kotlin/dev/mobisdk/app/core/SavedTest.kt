package dev.mobisdk.app.core

import dev.mobisdk.runtime.Mode
import dev.mobisdk.runtime.lab.JoinLink
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File

class SavedTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Test
    fun `what was chosen comes back after the process ended`() {
        val file = File(folder.root, "saved.json")
        assertEquals(Saved(), Saved.read(file))
        val done = Classify.Done("one", listOf(LabelShare("قطة", 0.75)), 1_000_000, 2_000_000)
        val saved = Saved(Screen.BENCHMARK, BenchChoice(setOf("one", "two"), Mode.SUSTAINED, 4), "two", done)
        repeat(2) { Saved.write(saved, file) }
        assertEquals(saved, Saved.read(file))
    }

    @Test
    fun `a file that is cut or of another version means that nothing was chosen`() {
        val file = File(folder.root, "saved.json")
        Saved.write(Saved(Screen.RESULTS), file)
        val whole = file.readText()
        for (content in listOf(whole.dropLast(5), "", "[]", """{"screen": "NOWHERE"}""", "\u0000")) {
            file.writeText(content)
            assertEquals(Saved(), Saved.read(file))
        }
        file.writeText("""{"screen": "RESULTS", "of_a_newer_version": 1}""")
        assertEquals(Screen.RESULTS, Saved.read(file).screen)
    }

    @Test
    fun `no secret is kept`() {
        val link = JoinLink("lab.local", 8443, "0f".repeat(32), "a-secret-one-time-code")
        val file = File(folder.root, "saved.json")
        Saved.write(Saved.of(UiState.Ready(lab = Lab.Confirming(link, Lab.NotJoined))), file)
        assertFalse("a-secret-one-time-code" in file.readText())
    }
}
