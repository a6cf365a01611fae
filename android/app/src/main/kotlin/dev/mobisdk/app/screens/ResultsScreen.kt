package dev.mobisdk.app.screens

import android.content.Context
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.BaseAdapter
import android.widget.Button
import android.widget.ListView
import android.widget.TextView
import dev.mobisdk.app.R
import dev.mobisdk.app.core.Lab
import dev.mobisdk.app.core.ResultRow
import dev.mobisdk.app.core.Results
import dev.mobisdk.app.core.RunMark
import dev.mobisdk.app.core.UiState
import dev.mobisdk.app.core.Upload
import dev.mobisdk.app.core.formatMs
import dev.mobisdk.runtime.Mode

/** What a person can do with the log. */
interface ResultsActions {
    fun share()

    fun upload()
}

/** The log as a table, and what became of it. */
class ResultsScreen(
    view: ListView,
    private val actions: ResultsActions,
) {
    private val context: Context = view.context
    private val header = LayoutInflater.from(context).inflate(R.layout.header_results, view, false)
    private val adapter = Table()

    init {
        view.addHeaderView(header, null, false)
        view.adapter = adapter
        header.find<Button>(R.id.results_share).setOnClickListener { actions.share() }
        header.find<Button>(R.id.results_upload).setOnClickListener { actions.upload() }
    }

    fun render(state: UiState.Ready) {
        val results = state.results
        val isJoined = state.lab is Lab.Joined
        header.find<View>(R.id.results_share).isEnabled = results.rows.isNotEmpty()
        header.find<View>(R.id.results_upload).isEnabled = isJoined && results.rows.isNotEmpty() && results.upload != Upload.Sending
        header.find<TextView>(R.id.results_upload_status).showText(describe(results, isJoined))
        val aside = if (results.setAside > 0) count(R.plurals.results_set_aside, results.setAside) else ""
        header.find<TextView>(R.id.results_set_aside).showText(aside)
        header.find<View>(R.id.results_empty).show(results.rows.isEmpty())
        header.find<View>(R.id.results_columns).show(results.rows.isNotEmpty())
        adapter.show(results.rows)
    }

    private fun describe(
        results: Results,
        isJoined: Boolean,
    ): String {
        val upload = results.upload
        val told =
            when {
                upload is Upload.Failed -> context.getString(R.string.upload_failed, upload.reason)
                upload == Upload.Sending -> context.getString(R.string.upload_sending)
                !isJoined -> context.getString(R.string.upload_not_joined)
                else -> ""
            }
        val sent = if (results.sent > 0 || isJoined) count(R.plurals.upload_sent, results.sent) else ""
        val rejected = if (results.rejected > 0) count(R.plurals.upload_rejected, results.rejected) else ""
        return listOf(told, sent, rejected).filter { it.isNotEmpty() }.joinToString("\n")
    }

    private fun count(
        id: Int,
        number: Int,
    ): String = context.resources.getQuantityString(id, number, number)

    private inner class Table : BaseAdapter() {
        private var rows: List<ResultRow> = emptyList()

        fun show(rows: List<ResultRow>) {
            if (rows == this.rows) return
            this.rows = rows
            notifyDataSetChanged()
        }

        override fun getCount() = rows.size

        override fun getItem(position: Int) = rows[position]

        override fun getItemId(position: Int) = position.toLong()

        override fun isEnabled(position: Int) = false

        override fun getView(
            position: Int,
            convertView: View?,
            parent: ViewGroup,
        ): View {
            val view = convertView ?: LayoutInflater.from(context).inflate(R.layout.row_result, parent, false)
            val row = rows[position]
            val detail = describe(row)
            val marks = row.marks.joinToString(" · ") { context.getString(TEXT_OF_MARK.getValue(it)) }
            val (p50, p90) = listOf(row.p50Ns, row.p90Ns).map { ns -> ns?.let { formatMs(it, context.locale) } ?: "–" }
            view.find<TextView>(R.id.result_network).text = row.network
            view.find<TextView>(R.id.result_detail).text = detail
            view.find<TextView>(R.id.result_marks).showText(marks)
            view.find<TextView>(R.id.result_p50).text = p50
            view.find<TextView>(R.id.result_p90).text = p90
            view.contentDescription =
                if (row.p50Ns ==
                    null
                ) {
                    "${row.network}. $detail. $marks"
                } else {
                    context.getString(R.string.result_spoken, row.network, detail, p50, p90, marks)
                }
            return view
        }

        private fun describe(row: ResultRow): String {
            val threads = row.threads?.toString() ?: context.getString(R.string.threads_auto)
            if (row.mode != Mode.COLD) {
                return context.getString(R.string.result_detail, context.getString(TEXT_OF_MODE.getValue(row.mode)), row.samples, threads)
            }
            val (load, first) = listOf(row.loadNs, row.firstInferenceNs).map { ns -> ns?.let { formatMs(it, context.locale) } ?: "–" }
            return context.getString(R.string.result_cold, load, first, threads)
        }
    }

    private companion object {
        val TEXT_OF_MARK =
            mapOf(
                RunMark.LEFT_FOREGROUND to R.string.mark_left_foreground,
                RunMark.HOT to R.string.mark_hot,
                RunMark.LOW_POWER to R.string.mark_low_power,
                RunMark.CHARGING to R.string.mark_charging,
            )
        val TEXT_OF_MODE =
            mapOf(
                Mode.BURST to R.string.mode_name_burst,
                Mode.SUSTAINED to R.string.mode_name_sustained,
                Mode.COLD to R.string.mode_name_cold,
                Mode.PRODUCTION to R.string.mode_name_production,
            )
    }
}
