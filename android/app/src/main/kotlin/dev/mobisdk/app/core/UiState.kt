package dev.mobisdk.app.core

import dev.mobisdk.runtime.Conditions
import dev.mobisdk.runtime.Mode
import dev.mobisdk.runtime.ThermalState
import dev.mobisdk.runtime.lab.BundleSummary
import dev.mobisdk.runtime.lab.JoinLink
import kotlinx.serialization.Serializable

/** What the app shows, whole: one value in one holder, changed by [reduce] alone. */
sealed class UiState {
    /** Bundles and the log are being read. */
    data object Starting : UiState()

    /** The app's storage cannot be used, so that there is nothing to show. */
    data class Broken(
        val reason: String,
    ) : UiState()

    /** The four screens. */
    data class Ready(
        val screen: Screen = Screen.BUNDLES,
        val bundles: List<BundleRow> = emptyList(),
        val damaged: List<DamagedRow> = emptyList(),
        val lab: Lab = Lab.NotJoined,
        val classify: Classify = Classify.Idle,
        val classifyBundle: String? = null,
        val choice: BenchChoice = BenchChoice(),
        val bench: Bench = Bench.Idle,
        val phone: Phone = Phone(),
        val results: Results = Results(),
        val notice: Notice? = null,
    ) : UiState() {
        /** The bundle to classify with: the chosen one, or the first. */
        val classifyingBundle: BundleRow? get() = bundles.find { it.name == classifyBundle } ?: bundles.firstOrNull()

        /** Those of the chosen bundles that are still there. */
        val chosenBundles: List<BundleRow> get() = bundles.filter { it.name in choice.bundles }
    }
}

enum class Screen { BUNDLES, CLASSIFY, BENCHMARK, RESULTS }

/** A bundle of this phone, as a list shows it. */
data class BundleRow(
    val name: String,
    val bundleId: String,
    val recipe: String,
    val sizeBytes: Long,
    val isUntrained: Boolean,
    val delegatedShare: Double,
)

/** A folder that is no bundle any more, and why. */
data class DamagedRow(
    val name: String,
    val reason: String,
)

/** The lab server. */
sealed class Lab {
    data object NotJoined : Lab()

    /** A link came in; nothing is sent before the person agrees. [previous] is what a refusal goes back to. */
    data class Confirming(
        val link: JoinLink,
        val previous: Lab,
    ) : Lab()

    data class Joining(
        val link: JoinLink,
        val previous: Lab,
    ) : Lab()

    /** [offers] is null before the list came; [transfers] is from bundle_id to the share that is here. */
    data class Joined(
        val address: String,
        val offers: List<BundleSummary>? = null,
        val transfers: Map<String, Double> = emptyMap(),
    ) : Lab()
}

/** One photograph on its way through one bundle. */
sealed class Classify {
    data object Idle : Classify()

    data object Working : Classify()

    @Serializable
    data class Done(
        val bundle: String,
        val predictions: List<LabelShare>,
        val preprocessNs: Long,
        val inferenceNs: Long,
    ) : Classify()

    data class Failed(
        val reason: String,
    ) : Classify()
}

/** A label and its probability, 0 to 1. */
@Serializable
data class LabelShare(
    val label: String,
    val share: Double,
)

/** What the person chose to measure: names of bundles, and one thread count; null is the runtime's own. */
@Serializable
data class BenchChoice(
    val bundles: Set<String> = emptySet(),
    val mode: Mode = Mode.BURST,
    val threads: Int? = null,
)

/** The benchmark. */
sealed class Bench {
    data object Idle : Bench()

    /** [plan] is the plan's name where no hand started it. */
    data class Running(
        val plan: String? = null,
        val bundle: String = "",
        val share: Double = 0.0,
        val latestNs: Long? = null,
        val runs: Int = 0,
        val isPaused: Boolean = false,
        val isCancelling: Boolean = false,
    ) : Bench()

    data class Finished(
        val runs: Int,
    ) : Bench()

    data class Cancelled(
        val runs: Int,
    ) : Bench()

    /** [needsRestart] where this process has another thread count. */
    data class Failed(
        val reason: String,
        val runs: Int,
        val needsRestart: Boolean = false,
    ) : Bench()
}

/** What the phone says of itself. */
data class Phone(
    val conditions: Conditions? = null,
) {
    /** What makes numbers worth less, most important first. */
    val warnings: List<PhoneWarning>
        get() {
            val now = conditions ?: return emptyList()
            return buildList {
                if (now.thermalBefore == ThermalState.SERIOUS || now.thermalBefore == ThermalState.CRITICAL) add(PhoneWarning.HOT)
                if (now.lowPowerMode == true) add(PhoneWarning.LOW_POWER)
                if (now.charging == true) add(PhoneWarning.CHARGING)
            }
        }
}

enum class PhoneWarning { HOT, LOW_POWER, CHARGING }

/** The log, and what became of it. */
data class Results(
    val rows: List<ResultRow> = emptyList(),
    val setAside: Int = 0,
    val sent: Int = 0,
    val rejected: Int = 0,
    val upload: Upload = Upload.Idle,
)

/** Sending the log to the lab server. */
sealed class Upload {
    data object Idle : Upload()

    data object Sending : Upload()

    data object Done : Upload()

    data class Failed(
        val reason: String,
    ) : Upload()
}

/** Something to tell once; [detail] is a runtime's own sentence. */
data class Notice(
    val kind: NoticeKind,
    val detail: String = "",
)

enum class NoticeKind {
    BUNDLE_ADDED,
    BUNDLE_REFUSED,
    BENCH_INTERRUPTED,
    DOWNLOAD_FAILED,
    JOIN_FAILED,
    LINK_REFUSED,
    LIST_FAILED,
    NO_APP,
    PLAN_REFUSED,
    SHARE_FAILED,
}
