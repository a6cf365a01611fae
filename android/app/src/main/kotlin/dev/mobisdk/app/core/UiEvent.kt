package dev.mobisdk.app.core

import dev.mobisdk.runtime.Conditions
import dev.mobisdk.runtime.Mode
import dev.mobisdk.runtime.lab.BundleSummary
import dev.mobisdk.runtime.lab.JoinLink

/** What happened: a touch, or the end of some work. */
sealed class UiEvent {
    /** The storage was read. [saved] is what the person had chosen. */
    data class Started(
        val saved: Saved,
        val labAddress: String?,
    ) : UiEvent()

    data class StorageFailed(
        val reason: String,
    ) : UiEvent()

    data class BundlesRead(
        val bundles: List<BundleRow>,
        val damaged: List<DamagedRow>,
    ) : UiEvent()

    data class LogRead(
        val rows: List<ResultRow>,
        val setAside: Int,
    ) : UiEvent()

    data class ScreenChosen(
        val screen: Screen,
    ) : UiEvent()

    data class NoticeCame(
        val notice: Notice,
    ) : UiEvent()

    data object NoticeRead : UiEvent()

    data class LinkOpened(
        val link: JoinLink,
    ) : UiEvent()

    data object JoinRefused : UiEvent()

    data object JoinConfirmed : UiEvent()

    data class JoinFailed(
        val reason: String,
    ) : UiEvent()

    data class Joined(
        val address: String,
    ) : UiEvent()

    data object Left : UiEvent()

    data class OffersRead(
        val offers: List<BundleSummary>,
    ) : UiEvent()

    data class TransferMoved(
        val bundleId: String,
        val share: Double,
    ) : UiEvent()

    data class TransferEnded(
        val bundleId: String,
    ) : UiEvent()

    data class ClassifyBundleChosen(
        val name: String,
    ) : UiEvent()

    data class Classified(
        val outcome: Classify,
    ) : UiEvent()

    data class BundleToggled(
        val name: String,
    ) : UiEvent()

    data class ModeChosen(
        val mode: Mode,
    ) : UiEvent()

    data class ThreadsChosen(
        val threads: Int?,
    ) : UiEvent()

    data class BenchStarted(
        val plan: String?,
    ) : UiEvent()

    data class BenchMoved(
        val bundle: String,
        val share: Double,
        val latestNs: Long?,
    ) : UiEvent()

    data object BenchCancelling : UiEvent()

    data class RunLogged(
        val row: ResultRow,
    ) : UiEvent()

    data object BenchFinished : UiEvent()

    data object BenchCancelled : UiEvent()

    data class BenchFailed(
        val reason: String,
        val needsRestart: Boolean = false,
    ) : UiEvent()

    data class PhoneRead(
        val conditions: Conditions,
    ) : UiEvent()

    data class UploadChanged(
        val upload: Upload,
    ) : UiEvent()

    data class UploadCounted(
        val sent: Int,
        val rejected: Int,
    ) : UiEvent()
}
