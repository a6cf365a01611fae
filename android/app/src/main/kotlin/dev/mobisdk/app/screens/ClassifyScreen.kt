package dev.mobisdk.app.screens

import android.content.Context
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.ProgressBar
import android.widget.TextView
import dev.mobisdk.app.R
import dev.mobisdk.app.core.Bench
import dev.mobisdk.app.core.Classify
import dev.mobisdk.app.core.LabelShare
import dev.mobisdk.app.core.UiState
import dev.mobisdk.app.core.formatMs
import dev.mobisdk.app.core.formatPercent

private const val BAR_PARTS = 1000

/** What a person can do with photos. */
interface ClassifyActions {
    fun chooseBundle(name: String)

    fun choosePhoto()

    fun takePhoto()
}

/** One photo, its five likeliest labels, and how long they took. */
class ClassifyScreen(
    private val view: View,
    private val actions: ClassifyActions,
) {
    private val context: Context = view.context
    private val bundles = Choices(view.find(R.id.classify_bundle)) { names.getOrNull(it)?.let(actions::chooseBundle) }
    private val predictions = view.find<ViewGroup>(R.id.classify_predictions)
    private var names: List<String> = emptyList()
    private var shown: List<LabelShare>? = null

    init {
        view.find<Button>(R.id.classify_choose).setOnClickListener { actions.choosePhoto() }
        view.find<Button>(R.id.classify_take).setOnClickListener { actions.takePhoto() }
    }

    fun render(state: UiState.Ready) {
        val isFree = state.bench !is Bench.Running && state.classify != Classify.Working
        names = state.bundles.map { it.name }
        bundles.show(names, names.indexOf(state.classifyingBundle?.name), isFree)
        for (id in listOf(R.id.classify_choose, R.id.classify_take)) view.find<View>(id).isEnabled = isFree && names.isNotEmpty()
        view.find<View>(R.id.classify_working).show(state.classify == Classify.Working)
        view.find<TextView>(R.id.classify_status).showText(describe(state))
        renderPredictions((state.classify as? Classify.Done)?.predictions.orEmpty())
    }

    private fun describe(state: UiState.Ready): String {
        val classify = state.classify
        return when {
            state.bundles.isEmpty() -> {
                context.getString(R.string.bundles_empty)
            }

            state.bench is Bench.Running -> {
                context.getString(R.string.classify_busy)
            }

            classify is Classify.Done -> {
                context.getString(
                    R.string.classify_times,
                    formatMs(classify.preprocessNs, context.locale),
                    formatMs(classify.inferenceNs, context.locale),
                )
            }

            classify is Classify.Failed -> {
                classify.reason
            }

            classify == Classify.Working -> {
                ""
            }

            else -> {
                context.getString(R.string.classify_empty)
            }
        }
    }

    private fun renderPredictions(labels: List<LabelShare>) {
        if (labels == shown) return
        shown = labels
        predictions.removeAllViews()
        for ((label, share) in labels) {
            val row = LayoutInflater.from(context).inflate(R.layout.row_prediction, predictions, false)
            val percent = context.getString(R.string.percent, formatPercent(share, context.locale))
            row.find<TextView>(R.id.prediction_label).text = label
            row.find<TextView>(R.id.prediction_share).text = percent
            row.find<ProgressBar>(R.id.prediction_bar).progress = (share * BAR_PARTS).toInt()
            row.contentDescription = "$label, $percent"
            predictions.addView(row)
        }
    }
}
