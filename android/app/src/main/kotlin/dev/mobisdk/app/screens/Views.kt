package dev.mobisdk.app.screens

import android.content.Context
import android.view.View
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.RadioGroup
import android.widget.Spinner
import android.widget.TextView
import java.util.Locale

/** A part of this view. `findViewById` itself has a type parameter from API level 26 on alone. */
internal fun <T : View> View.find(id: Int): T {
    val found: View = findViewById(id)
    @Suppress("UNCHECKED_CAST") // the layout says what it is
    return found as T
}

/** Gone where it is not shown, so that it takes no place. */
internal fun View.show(isShown: Boolean) {
    visibility = if (isShown) View.VISIBLE else View.GONE
}

/** Gone where there is nothing to read; the same text again is not spoken again. */
internal fun TextView.showText(text: String) {
    if (this.text.toString() != text) this.text = text
    show(text.isNotEmpty())
}

internal val Context.locale: Locale
    @Suppress("DEPRECATION") // its successor is of API level 24
    get() = resources.configuration.locale

/** Checks a button without telling the listener that a person did. */
internal fun RadioGroup.showChecked(
    id: Int,
    listener: RadioGroup.OnCheckedChangeListener,
) {
    if (checkedRadioButtonId == id) return
    setOnCheckedChangeListener(null)
    check(id)
    setOnCheckedChangeListener(listener)
}

/** A list of choices that the state fills, and that tells only what a person chose. */
internal class Choices(
    private val spinner: Spinner,
    private val onChosen: (Int) -> Unit,
) : AdapterView.OnItemSelectedListener {
    private var shown: List<String> = emptyList()
    private var current = -1

    init {
        spinner.onItemSelectedListener = this
    }

    fun show(
        texts: List<String>,
        chosen: Int,
        isEnabled: Boolean,
    ) {
        spinner.isEnabled = isEnabled
        if (texts != shown) {
            shown = texts
            val adapter = ArrayAdapter(spinner.context, android.R.layout.simple_spinner_item, texts)
            adapter.setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item)
            spinner.adapter = adapter
        }
        current = chosen
        if (chosen in texts.indices && spinner.selectedItemPosition != chosen) spinner.setSelection(chosen)
    }

    override fun onItemSelected(
        parent: AdapterView<*>,
        view: View?,
        position: Int,
        id: Long,
    ) {
        if (position == current) return
        current = position
        onChosen(position)
    }

    override fun onNothingSelected(parent: AdapterView<*>) = Unit
}
