package dev.mobisdk.app.screens

import android.content.Context
import android.view.LayoutInflater
import android.view.View
import android.widget.Button
import android.widget.ListView
import android.widget.TextView
import dev.mobisdk.app.R
import dev.mobisdk.app.core.Bench
import dev.mobisdk.app.core.BundleRow
import dev.mobisdk.app.core.Lab
import dev.mobisdk.app.core.UiState
import dev.mobisdk.app.core.formatAddress
import dev.mobisdk.app.core.formatMegabytes
import dev.mobisdk.app.core.formatPercent

private const val HARDLY_DELEGATED = 0.9
private const val FINGERPRINT_GROUP = 4

/** What a person can do with bundles and the lab server. */
interface BundlesActions {
    fun addFile()

    fun remove(name: String)

    fun join()

    fun refuseJoin()

    fun leave()

    fun readOffers()

    fun download(bundleId: String)
}

/** Bundles of this phone and of the lab server. */
class BundlesScreen(
    private val view: ListView,
    private val actions: BundlesActions,
) {
    private val context: Context = view.context
    private val header = LayoutInflater.from(context).inflate(R.layout.header_bundles, view, false)
    private val adapter = RowAdapter(LayoutInflater.from(context), onAction = ::act)
    private var offered: Set<String> = emptySet()

    init {
        view.addHeaderView(header, null, false)
        view.adapter = adapter
        on(R.id.lab_join) { actions.join() }
        on(R.id.lab_refuse) { actions.refuseJoin() }
        on(R.id.lab_refresh) { actions.readOffers() }
        on(R.id.lab_leave) { actions.leave() }
        on(R.id.add_file) { actions.addFile() }
    }

    private fun on(
        id: Int,
        action: () -> Unit,
    ) = header.find<Button>(id).setOnClickListener { action() }

    private fun act(key: String) = if (key in offered) actions.download(key) else actions.remove(key)

    fun render(state: UiState.Ready) {
        renderLab(state.lab)
        val lab = state.lab as? Lab.Joined
        offered =
            lab
                ?.offers
                .orEmpty()
                .map { it.bundleId }
                .toSet()
        adapter.show(listOwn(state) + listOffers(state, lab))
    }

    private fun renderLab(lab: Lab) {
        val status =
            when (lab) {
                Lab.NotJoined -> context.getString(R.string.lab_not_joined)
                is Lab.Confirming -> context.getString(R.string.lab_confirming, formatAddress(lab.link.host, lab.link.port))
                is Lab.Joining -> context.getString(R.string.lab_joining, formatAddress(lab.link.host, lab.link.port))
                is Lab.Joined -> context.getString(R.string.server_joined, lab.address)
            }
        header.find<TextView>(R.id.lab_status).showText(status)
        header.find<TextView>(R.id.lab_fingerprint).showText((lab as? Lab.Confirming)?.let { spell(it.link.fingerprint) }.orEmpty())
        header.find<View>(R.id.lab_join).show(lab is Lab.Confirming)
        header.find<View>(R.id.lab_refuse).show(lab is Lab.Confirming)
        header.find<View>(R.id.lab_refresh).show(lab is Lab.Joined)
        header.find<View>(R.id.lab_leave).show(lab is Lab.Joined)
    }

    /** In groups, as the computer's screen shows it, so that a person can compare. */
    private fun spell(fingerprint: String): String = fingerprint.chunked(FINGERPRINT_GROUP).joinToString(" ")

    private fun listOwn(state: UiState.Ready): List<Row> =
        listOf(Row.Heading(context.getString(R.string.bundles_on_phone))) +
            state.bundles.map { itemOf(it, state.bench !is Bench.Running) } +
            state.damaged.map {
                Row.Item(
                    it.name,
                    it.name,
                    warning = it.reason,
                    action = text(R.string.bundles_remove),
                    actionSpoken = text(R.string.remove_of, it.name),
                )
            } +
            if (state.bundles.isEmpty()) listOf(Row.Note(text(R.string.bundles_empty))) else emptyList()

    private fun itemOf(
        bundle: BundleRow,
        isEnabled: Boolean,
    ): Row.Item {
        val detail = if (bundle.isUntrained) R.string.bundle_detail_untrained else R.string.bundle_detail
        val share = bundle.delegatedShare
        return Row.Item(
            key = bundle.name,
            title = bundle.name,
            detail = text(detail, formatMegabytes(bundle.sizeBytes, context.locale), bundle.recipe),
            warning = if (share < HARDLY_DELEGATED) text(R.string.bundle_hardly_delegated, formatPercent(share, context.locale)) else "",
            isEnabled = isEnabled,
            action = text(R.string.bundles_remove),
            actionSpoken = text(R.string.remove_of, bundle.name),
        )
    }

    private fun listOffers(
        state: UiState.Ready,
        lab: Lab.Joined?,
    ): List<Row> {
        val offers = lab?.offers ?: return emptyList()
        val here = state.bundles.map { it.bundleId }.toSet()
        val missing = offers.filter { it.bundleId !in here }
        val heading = listOf(Row.Heading(text(R.string.lab_offers)))
        if (missing.isEmpty()) return heading + Row.Note(text(R.string.lab_offers_none))
        return heading +
            missing.map { offer ->
                val share = lab.transfers[offer.bundleId]
                val detail = text(R.string.bundle_detail, formatMegabytes(offer.sizeBytes, context.locale), offer.recipe)
                Row.Item(
                    key = offer.bundleId,
                    title = offer.name,
                    detail = share?.let { text(R.string.downloading, formatPercent(it, context.locale)) } ?: detail,
                    isEnabled = share == null,
                    action = text(R.string.download),
                    actionSpoken = text(R.string.download_of, offer.name),
                )
            }
    }

    private fun text(
        id: Int,
        vararg arguments: Any,
    ): String = context.getString(id, *arguments)
}
