package dev.mobisdk.app.screens

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.BaseAdapter
import android.widget.Button
import android.widget.CheckBox
import android.widget.TextView
import dev.mobisdk.app.R

/** A line of a list. */
sealed class Row {
    data class Heading(
        val text: String,
    ) : Row()

    data class Note(
        val text: String,
    ) : Row()

    /**
     * @property isChecked null where there is nothing to choose.
     * @property action what the button does; null where there is none.
     * @property actionSpoken the same for a screen reader, with what it does it to.
     */
    data class Item(
        val key: String,
        val title: String,
        val detail: String = "",
        val warning: String = "",
        val isChecked: Boolean? = null,
        val isEnabled: Boolean = true,
        val action: String? = null,
        val actionSpoken: String? = null,
    ) : Row()
}

/** Shows rows; [onToggle] and [onAction] get the item's key. */
class RowAdapter(
    private val inflater: LayoutInflater,
    private val onToggle: (String) -> Unit = {},
    private val onAction: (String) -> Unit = {},
) : BaseAdapter() {
    private var rows: List<Row> = emptyList()

    fun show(rows: List<Row>) {
        if (rows == this.rows) return
        this.rows = rows
        notifyDataSetChanged()
    }

    override fun getCount() = rows.size

    override fun getItem(position: Int): Row = rows[position]

    override fun getItemId(position: Int) = position.toLong()

    override fun getViewTypeCount() = 2

    override fun getItemViewType(position: Int) = if (rows[position] is Row.Heading) 0 else 1

    override fun isEnabled(position: Int) = false

    override fun getView(
        position: Int,
        convertView: View?,
        parent: ViewGroup,
    ): View {
        val row = rows[position]
        val layout = if (row is Row.Heading) R.layout.row_heading else R.layout.row
        val view = convertView ?: inflater.inflate(layout, parent, false)
        when (row) {
            is Row.Heading -> view.find<TextView>(R.id.row_title).text = row.text
            is Row.Note -> bind(view, Row.Item(key = "", title = row.text))
            is Row.Item -> bind(view, row)
        }
        return view
    }

    private fun bind(
        view: View,
        item: Row.Item,
    ) {
        view.find<TextView>(R.id.row_title).text = item.title
        view.find<TextView>(R.id.row_detail).showText(item.detail)
        view.find<TextView>(R.id.row_warning).showText(item.warning)
        val check = view.find<CheckBox>(R.id.row_check)
        check.show(item.isChecked != null)
        check.setOnCheckedChangeListener(null)
        check.isChecked = item.isChecked == true
        check.isEnabled = item.isEnabled
        check.contentDescription = item.title
        check.setOnCheckedChangeListener { _, _ -> onToggle(item.key) }
        val action = view.find<Button>(R.id.row_action)
        action.showText(item.action.orEmpty())
        action.isEnabled = item.isEnabled
        action.contentDescription = item.actionSpoken
        action.setOnClickListener { onAction(item.key) }
    }
}
