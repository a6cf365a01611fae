package dev.mobisdk.executorch

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File

class ReadingsTest {
    @Test
    fun `a battery is read in the log's units`() {
        val reading = BatteryReading(level = 42, scale = 50, status = 2, temperature = 314)
        assertEquals(0.84, reading.share!!, 0.0)
        assertEquals(true, reading.isCharging)
        assertEquals(31.4, reading.celsius!!, 0.0)
        assertEquals(-5.0, BatteryReading(1, 2, 3, -50).celsius!!, 0.0)
    }

    @Test
    fun `charging is what BatteryManager's statuses say`() {
        assertEquals(listOf(null, true, false, false, true, null), (1..6).map { BatteryReading(1, 2, it, 1).isCharging })
    }

    @Test
    fun `what Android does not tell is null`() {
        val silent = BatteryReading(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
        assertNull(silent.share)
        assertNull(silent.isCharging)
        assertNull(silent.celsius)
        assertNull(BatteryReading(9, 0, 2, 0).share)
        assertNull(BatteryReading(9, 5, 2, 0).share)
        assertNull(BatteryReading(1, 2, 2, 0).celsius)
        assertEquals(listOf(null, null, 2_431_000L), listOf(Long.MIN_VALUE, 0L, 2_431_000L).map(::chargeOf))
        assertNull(socOf("unknown", "unknown"))
        assertNull(socOf(null, null))
    }

    @Test
    fun `a chip is named with its maker where he is known`() {
        assertEquals("Google Tensor G3", socOf("Google", "Tensor G3"))
        assertEquals("SM8650", socOf("unknown", "SM8650"))
    }

    @Test
    fun `emulators are told from phones`() {
        assertTrue(isEmulator("ranchu", "google/sdk_gphone64_x86_64/emu64xa:14/UE1A/1:userdebug/dev-keys"))
        assertTrue(isEmulator("vbox86", "generic/vbox86p/vbox86p:9/PI/1:userdebug/test-keys"))
        assertFalse(isEmulator("shiba", "google/shiba/shiba:14/AP1A/1:user/release-keys"))
    }

    @Test
    fun `the peak of memory is the kernel's high-water mark`() {
        val status = "Name:\tdev.mobisdk\nVmPeak:\t 9999999 kB\nVmHWM:\t  181248 kB\nVmRSS:\t  100 kB\n"
        assertEquals(181_248L * 1024, peakMemoryOf(status.lineSequence()))
        assertNull(peakMemoryOf(sequenceOf("Name:\tx", "VmHWM:\tmany kB")))
        assertNull(readPeakMemory(File("/nowhere/status")))
        assertTrue(readPeakMemory()!! > 1_000_000)
    }

    @Test
    fun `a photo of 200 megapixels is decoded sampled`() {
        assertEquals(1, sampleSizeOf(4000, 3000))
        assertEquals(1, sampleSizeOf(1, 1))
        assertEquals(4, sampleSizeOf(16_320, 12_240))
        assertEquals(2, sampleSizeOf(4001, 4001))
        assertEquals(16, sampleSizeOf(60_000, 60_000))
    }
}
