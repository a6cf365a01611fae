package dev.mobisdk.app.core

import dev.mobisdk.runtime.Conditions
import dev.mobisdk.runtime.Mode
import dev.mobisdk.runtime.ThermalState
import dev.mobisdk.runtime.lab.BundleSummary
import dev.mobisdk.runtime.lab.JoinLink
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test

class ReduceTest {
    private val link = JoinLink("192.168.1.20", 8443, "0f".repeat(32), "Zq3-x_9Kd2LmPw7T")
    private val offer = BundleSummary("a".repeat(64), "mobilenet_v1", 5_300_000, "xnnpack_fp32")
    private val row = BundleRow("one", "1".repeat(64), "xnnpack_fp32", 100, isUntrained = true, delegatedShare = 1.0)
    private val run = ResultRow("id", "net", Mode.BURST, "2026-11-25T10:00:00Z", 50, 1, 2, 3, 4, 2, emptyList())

    private fun after(
        state: UiState,
        vararg events: UiEvent,
    ): UiState = events.fold(state, ::reduce)

    private fun ready(vararg events: UiEvent): UiState.Ready = after(UiState.Ready(), *events) as UiState.Ready

    @Test
    fun `a start brings back what the person chose`() {
        val done = Classify.Done("one", listOf(LabelShare("cat", 0.9)), 1, 2)
        val saved = Saved(Screen.RESULTS, BenchChoice(setOf("one"), Mode.COLD, 4), "one", done)
        val state = after(UiState.Starting, UiEvent.Started(saved, "192.168.1.20:8443")) as UiState.Ready
        assertEquals(saved, Saved.of(state))
        assertEquals(Lab.Joined("192.168.1.20:8443"), state.lab)
    }

    @Test
    fun `a second start changes nothing, and a broken storage is told`() {
        val state = ready(UiEvent.ScreenChosen(Screen.RESULTS))
        assertSame(state, reduce(state, UiEvent.Started(Saved(), null)))
        assertEquals(UiState.Broken("no space"), reduce(UiState.Starting, UiEvent.StorageFailed("no space")))
        assertEquals(UiState.Starting, reduce(UiState.Starting, UiEvent.ScreenChosen(Screen.RESULTS)))
    }

    @Test
    fun `a link joins nothing before the person agrees`() {
        val asked = ready(UiEvent.ScreenChosen(Screen.RESULTS), UiEvent.LinkOpened(link))
        assertEquals(Lab.Confirming(link, Lab.NotJoined), asked.lab)
        assertEquals(Screen.BUNDLES, asked.screen)
        assertEquals(Lab.NotJoined, (reduce(asked, UiEvent.JoinRefused) as UiState.Ready).lab)
        assertEquals(Lab.Joining(link, Lab.NotJoined), (reduce(asked, UiEvent.JoinConfirmed) as UiState.Ready).lab)
        assertEquals(Lab.Joined("a:1"), ready(UiEvent.LinkOpened(link), UiEvent.JoinConfirmed, UiEvent.Joined("a:1")).lab)
    }

    @Test
    fun `a link that is refused or fails leaves the joined server alone`() {
        val joined = ready(UiEvent.Joined("a:1"), UiEvent.OffersRead(listOf(offer)))
        val refused = after(joined, UiEvent.LinkOpened(link), UiEvent.LinkOpened(link), UiEvent.JoinRefused) as UiState.Ready
        assertEquals(joined.lab, refused.lab)
        val failed = after(joined, UiEvent.LinkOpened(link), UiEvent.JoinConfirmed, UiEvent.JoinFailed("used")) as UiState.Ready
        assertEquals(joined.lab, failed.lab)
        assertEquals(Notice(NoticeKind.JOIN_FAILED, "used"), failed.notice)
        assertNull((reduce(failed, UiEvent.NoticeRead) as UiState.Ready).notice)
    }

    @Test
    fun `a confirmation without a question, and offers without a server, change nothing`() {
        val state = ready()
        for (event in listOf(UiEvent.JoinConfirmed, UiEvent.JoinRefused, UiEvent.OffersRead(listOf(offer)))) {
            assertEquals(Lab.NotJoined, (reduce(state, event) as UiState.Ready).lab)
        }
    }

    @Test
    fun `transfers come and go`() {
        val moving = ready(UiEvent.Joined("a:1"), UiEvent.TransferMoved(offer.bundleId, 0.5))
        assertEquals(mapOf(offer.bundleId to 0.5), (moving.lab as Lab.Joined).transfers)
        assertTrue(((reduce(moving, UiEvent.TransferEnded(offer.bundleId)) as UiState.Ready).lab as Lab.Joined).transfers.isEmpty())
        assertEquals(Lab.NotJoined, (reduce(moving, UiEvent.Left) as UiState.Ready).lab)
    }

    @Test
    fun `bundles are chosen and put back, and one that is gone is not measured`() {
        val chosen = ready(UiEvent.BundlesRead(listOf(row), emptyList()), UiEvent.BundleToggled("one"), UiEvent.BundleToggled("gone"))
        assertEquals(listOf(row), chosen.chosenBundles)
        assertTrue((reduce(chosen, UiEvent.BundleToggled("one")) as UiState.Ready).chosenBundles.isEmpty())
    }

    @Test
    fun `nothing is chosen while it is measured`() {
        val running = ready(UiEvent.BenchStarted(null))
        val events = listOf(UiEvent.BundleToggled("one"), UiEvent.ModeChosen(Mode.COLD), UiEvent.ThreadsChosen(2))
        assertEquals(running, after(running, *events.toTypedArray()))
    }

    @Test
    fun `a benchmark counts its runs, and says how it ended`() {
        val running =
            ready(
                UiEvent.ScreenChosen(Screen.RESULTS),
                UiEvent.BenchStarted("nightly"),
                UiEvent.BenchMoved("one", 0.5, 100),
                UiEvent.RunLogged(run),
            )
        assertEquals(Screen.BENCHMARK, running.screen)
        assertEquals(Bench.Running("nightly", "one", 0.5, 100, runs = 1), running.bench)
        assertEquals(listOf(run), running.results.rows)
        val ends =
            mapOf(
                UiEvent.BenchFinished to Bench.Finished(1),
                UiEvent.BenchCancelled to Bench.Cancelled(1),
                UiEvent.BenchFailed("hot") to Bench.Failed("hot", 1),
                UiEvent.BenchFailed("threads", needsRestart = true) to Bench.Failed("threads", 1, needsRestart = true),
            )
        for ((event, end) in ends) assertEquals(end, (reduce(running, event) as UiState.Ready).bench)
        assertTrue(((reduce(running, UiEvent.BenchCancelling) as UiState.Ready).bench as Bench.Running).isCancelling)
    }

    @Test
    fun `an end that comes late does not undo a start, nor a second start the first`() {
        val idle = ready()
        for (event in listOf(UiEvent.BenchFinished, UiEvent.BenchCancelled, UiEvent.BenchMoved("one", 0.5, 1))) {
            assertEquals(Bench.Idle, (reduce(idle, event) as UiState.Ready).bench)
        }
        val running = ready(UiEvent.BenchStarted("first"))
        assertEquals(running.bench, (reduce(running, UiEvent.BenchStarted("second")) as UiState.Ready).bench)
    }

    @Test
    fun `a run that leaves the foreground is shown as paused until the app is back`() {
        fun conditions(isForeground: Boolean) = conditionsOf(foreground = isForeground)
        val paused = ready(UiEvent.BenchStarted(null), UiEvent.PhoneRead(conditions(false)))
        assertTrue((paused.bench as Bench.Running).isPaused)
        assertEquals(false, ((reduce(paused, UiEvent.PhoneRead(conditions(true))) as UiState.Ready).bench as Bench.Running).isPaused)
    }

    @Test
    fun `charging, hot and saving phones are warned about`() {
        assertEquals(emptyList<PhoneWarning>(), Phone().warnings)
        assertEquals(emptyList<PhoneWarning>(), Phone(conditionsOf(thermal = ThermalState.FAIR)).warnings)
        assertEquals(listOf(PhoneWarning.CHARGING), Phone(conditionsOf(charging = true)).warnings)
        val worst = Phone(conditionsOf(charging = true, lowPower = true, thermal = ThermalState.CRITICAL))
        assertEquals(listOf(PhoneWarning.HOT, PhoneWarning.LOW_POWER, PhoneWarning.CHARGING), worst.warnings)
    }

    @Test
    fun `an upload's counts stay where a new run makes it unfinished again`() {
        val sent = ready(UiEvent.LogRead(listOf(run), 2), UiEvent.UploadCounted(1, 1), UiEvent.UploadChanged(Upload.Done))
        assertEquals(Results(listOf(run), setAside = 2, sent = 1, rejected = 1, upload = Upload.Done), sent.results)
        val again = reduce(sent, UiEvent.RunLogged(run.copy(runId = "next"))) as UiState.Ready
        assertEquals(Upload.Idle, again.results.upload)
        assertEquals(listOf("next", "id"), again.results.rows.map { it.runId })
    }

    @Test
    fun `another bundle to classify with forgets what the last one said`() {
        val done = ready(UiEvent.BundlesRead(listOf(row), emptyList()), UiEvent.Classified(Classify.Done("one", emptyList(), 1, 2)))
        assertEquals(row, done.classifyingBundle)
        assertEquals(Classify.Idle, (reduce(done, UiEvent.ClassifyBundleChosen("other")) as UiState.Ready).classify)
    }

    private fun conditionsOf(
        charging: Boolean = false,
        lowPower: Boolean = false,
        thermal: ThermalState? = null,
        foreground: Boolean = true,
    ) = Conditions(0.8, charging, lowPower, thermal, null, null, 30.0, foreground)
}
