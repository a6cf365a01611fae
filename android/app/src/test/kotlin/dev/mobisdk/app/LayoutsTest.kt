package dev.mobisdk.app

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.w3c.dom.Element
import java.io.File

/** What a person with a screen reader, a right-to-left language or large fingers needs of each element of each layout. */
class LayoutsTest {
    private val layouts = File(resourceFolder, "layout").listFiles()!!.associate { it.name to parseXml(it).elements }

    private fun forEach(check: (String, Element) -> Unit) {
        assertTrue(layouts.size >= 12)
        for ((name, elements) in layouts) for (element in elements) check("$name: ${element.tagName} ${element.id}", element)
    }

    private val Element.id get() = getAttribute("android:id").substringAfter('/')

    private fun Element.has(name: String) = hasAttribute("android:$name")

    @Test
    fun `nothing is left or right`() =
        forEach { place, element ->
            for (index in 0 until element.attributes.length) {
                val attribute = element.attributes.item(index)
                val isSided = Regex("left|right", RegexOption.IGNORE_CASE).containsMatchIn(attribute.nodeName + attribute.nodeValue)
                assertTrue("$place: ${attribute.nodeName}", !isSided)
            }
        }

    @Test
    fun `every text is a resource`() =
        forEach { place, element ->
            for (name in listOf("text", "contentDescription", "hint")) {
                if (element.has(name)) assertTrue("$place: $name", element.getAttribute("android:$name").startsWith("@string/"))
            }
        }

    @Test
    fun `what is touched is 48 dp high`() =
        forEach { place, element ->
            if (element.tagName in setOf("Button", "CheckBox", "Spinner") ||
                (element.tagName == "RadioButton" && !element.hasAttribute("style"))
            ) {
                assertEquals(place, "48dp", element.getAttribute("android:minHeight"))
            }
        }

    @Test
    fun `what shows no text says what it is`() =
        forEach { place, element ->
            if (element.tagName ==
                "ProgressBar"
            ) {
                assertTrue(place, element.has("contentDescription") || element.has("importantForAccessibility"))
            }
        }

    @Test
    fun `every list of choices has its label`() {
        for ((name, elements) in layouts) {
            val labelled = elements.map { it.getAttribute("android:labelFor").substringAfter('/') }.toSet()
            for (spinner in elements.filter { it.tagName == "Spinner" }) assertTrue("$name: ${spinner.id}", spinner.id in labelled)
        }
    }

    @Test
    fun `what changes by itself is spoken`() {
        val live =
            layouts.values
                .flatten()
                .filter { it.getAttribute("android:accessibilityLiveRegion") == "polite" }
                .map { it.id }
        assertEquals(
            listOf("bench_status", "bench_warnings", "classify_status", "lab_status", "notice", "results_upload_status"),
            live.sorted(),
        )
    }

    @Test
    fun `text sizes follow the person's setting`() {
        for (file in resourceFolder.walk().filter { it.extension == "xml" }) {
            for (size in Regex(
                "textSize\"?>?=?\"?([0-9a-z]+)",
            ).findAll(file.readText())) {
                assertTrue("$file", size.groupValues[1].endsWith("sp"))
            }
        }
    }

    @Test
    fun `night has a colour for each that is not the icon's`() {
        fun colours(folder: String) =
            parseXml(File(resourceFolder, "$folder/colors.xml")).elements.filter { it.tagName == "color" }.map { it.getAttribute("name") }
        assertEquals(colours("values") - "icon_background", colours("values-night"))
    }
}
