package dev.mobisdk.app.core

import org.junit.Assert.assertEquals
import org.junit.Test
import java.util.Locale

class NumbersTest {
    @Test
    fun `milliseconds keep three digits that mean something`() {
        val written = listOf(482_345L, 999_499, 999_500, 6_281_000, 9_994_999, 9_995_000, 13_149_000, 99_949_999, 99_950_000, 1_280_400_000)
        val expected = listOf("0.482", "0.999", "1.00", "6.28", "9.99", "10.0", "13.1", "99.9", "100", "1280")
        assertEquals(expected, written.map { formatMs(it, Locale.ROOT) })
    }

    @Test
    fun `numbers are in the person's own digits`() {
        assertEquals("٦٫٢٨", formatMs(6_281_000, Locale.forLanguageTag("ar-EG")))
        assertEquals("6,28", formatMs(6_281_000, Locale.GERMANY))
    }

    @Test
    fun `sizes, shares and addresses`() {
        assertEquals("5.3", formatMegabytes(5_326_348, Locale.ROOT))
        assertEquals("98.3", formatPercent(0.98329, Locale.ROOT))
        assertEquals(listOf("lab.local:443", "[fd00::20]:8443"), listOf(formatAddress("lab.local", 443), formatAddress("fd00::20", 8443)))
    }
}
