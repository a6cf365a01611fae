package dev.mobisdk.app

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.w3c.dom.Element
import java.io.File

/** The texts in English and Arabic. */
class StringsTest {
    private val english = read("values")
    private val arabic = read("values-ar")

    private fun read(folder: String): Map<String, Element> =
        parseXml(File(resourceFolder, "$folder/strings.xml"))
            .elements
            .filter { it.tagName == "string" || it.tagName == "plurals" }
            .associateBy { it.getAttribute("name") }

    private fun placeholders(text: String) =
        Regex("%(\\d\\$)?[sd%]")
            .findAll(text)
            .map { it.value }
            .filter { it != "%%" }
            .toSet()

    private fun items(plurals: Element): Map<String, String> {
        val nodes = plurals.getElementsByTagName("item")
        return List(nodes.length) { nodes.item(it) as Element }.associate { it.getAttribute("quantity") to it.textContent }
    }

    @Test
    fun `every text has its translation`() {
        val translatable = english.filterValues { it.getAttribute("translatable") != "false" }
        assertTrue(translatable.size > 80)
        assertEquals(translatable.keys, arabic.keys)
    }

    @Test
    fun `a translation says the same values`() {
        for ((name, text) in arabic) {
            if (text.tagName ==
                "string"
            ) {
                assertEquals(name, placeholders(english.getValue(name).textContent), placeholders(text.textContent))
            }
        }
    }

    @Test
    fun `plurals have every form that their language has`() {
        for ((name, text) in english) {
            if (text.tagName != "plurals") continue
            assertEquals(name, setOf("one", "other"), items(text).keys)
            val forms = items(arabic.getValue(name))
            assertEquals(name, setOf("zero", "one", "two", "few", "many", "other"), forms.keys)
            for (quantity in listOf(
                "few",
                "many",
                "other",
            )) {
                assertEquals("$name, $quantity", setOf("%d"), placeholders(forms.getValue(quantity)))
            }
        }
    }

    @Test
    fun `the Arabic texts are Arabic`() {
        for ((name, text) in arabic) assertTrue(name, text.textContent.any { it in '\u0600'..'\u06FF' })
    }

    @Test
    fun `no text is left over`() {
        val sources =
            File(repository, "android/app/src/main")
                .walk()
                .filter { it.extension == "kt" || (it.extension == "xml" && it.name != "strings.xml") }
                .joinToString("\n") { it.readText() }
        for ((name, text) in english) {
            val kind = text.tagName
            assertTrue("$name is used nowhere", Regex("(R\\.$kind\\.|@$kind/)$name\\b").containsMatchIn(sources))
        }
    }
}
