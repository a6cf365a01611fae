package dev.mobisdk.app

import android.os.Build
import dev.mobisdk.app.core.BundleRow
import dev.mobisdk.app.core.DamagedRow
import dev.mobisdk.app.core.Notice
import dev.mobisdk.app.core.NoticeKind
import dev.mobisdk.app.core.ResultRow
import dev.mobisdk.app.core.Saved
import dev.mobisdk.app.core.UiEvent
import dev.mobisdk.runtime.LatencyLog
import dev.mobisdk.runtime.MobiError
import dev.mobisdk.runtime.ModelBundle
import dev.mobisdk.runtime.WeightsSource
import dev.mobisdk.runtime.lab.BundleStore
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors

/** What takes time, away from the main thread: reading, adding, removing. Its parts do the rest. */
class AppWork(
    private val app: MobiApplication,
) {
    private val storage = app.storage
    private val disk: ExecutorService = Executors.newSingleThreadExecutor()

    private var hasStarted = false

    val store = BundleStore(storage.bundles)
    val log = LatencyLog(storage.log)
    val lab = LabWork(this, storage)
    val classify = ClassifyWork(this)
    val bench = BenchWork(app, this)

    fun dispatch(event: UiEvent) = app.holder.dispatch(event)

    fun tell(
        kind: NoticeKind,
        detail: String = "",
    ) = dispatch(UiEvent.NoticeCame(Notice(kind, detail)))

    /** Runs [body] after what was asked before it. */
    fun onDisk(body: () -> Unit) {
        disk.execute(body)
    }

    /** Reads what is on the phone, once a process. */
    fun start() {
        if (hasStarted) return
        hasStarted = true
        onDisk(::readPhone)
    }

    private fun readPhone() {
        try {
            val account = LabAccount.read(storage.labAccount)
            dispatch(UiEvent.Started(Saved.read(storage.saved), account?.address))
            takeAssets()
            takeInbox()
            readBundles()
            readLog()
            bench.tellInterrupted()
            lab.countSent()
        } catch (exc: IOException) {
            dispatch(UiEvent.StorageFailed(exc.message ?: exc.javaClass.simpleName))
        }
    }

    fun readBundles() {
        val contents = store.list()
        dispatch(
            UiEvent.BundlesRead(contents.bundles.map(::rowOf), contents.damaged.map { DamagedRow(it.name, it.error.message.orEmpty()) }),
        )
    }

    private fun rowOf(bundle: ModelBundle): BundleRow {
        val manifest = bundle.manifest
        return BundleRow(
            name = bundle.name,
            bundleId = manifest.bundleId,
            recipe = manifest.target.recipe,
            sizeBytes = manifest.sizeBytes,
            isUntrained = manifest.model.weights.source == WeightsSource.RANDOM,
            delegatedShare = manifest.delegatedShare,
        )
    }

    /** Newest first. */
    private fun readLog() {
        val contents = log.read()
        dispatch(UiEvent.LogRead(contents.runs.asReversed().map(ResultRow::of), contents.setAside.size))
    }

    /** Finds a bundle by its folder's name; throws [MobiError] where it is gone or damaged. */
    fun open(name: String): ModelBundle = ModelBundle.open(File(storage.bundles, name)).also { store.touch(it) }

    /** Adds a zipped bundle. */
    fun add(open: () -> InputStream?) =
        onDisk {
            try {
                val source = open() ?: throw IOException("the file is gone")
                source.use { from -> storage.incoming.outputStream().use { from.copyTo(it) } }
                tell(NoticeKind.BUNDLE_ADDED, store.add(storage.incoming).name)
            } catch (error: MobiError) {
                tell(NoticeKind.BUNDLE_REFUSED, error.message.orEmpty())
            } catch (exc: IOException) {
                tell(NoticeKind.BUNDLE_REFUSED, exc.message.orEmpty())
            } catch (exc: SecurityException) {
                tell(NoticeKind.BUNDLE_REFUSED, exc.message.orEmpty())
            } finally {
                storage.incoming.delete()
            }
            readBundles()
        }

    /** Removes a bundle, or the folder of one that is damaged. */
    fun remove(name: String) =
        onDisk {
            try {
                store.remove(ModelBundle.open(File(storage.bundles, name)))
            } catch (_: MobiError) {
                File(storage.bundles, name).deleteRecursively()
            }
            readBundles()
        }

    /** The bundles that the app was built with, each once: one that the person removed stays away. */
    private fun takeAssets() {
        val taken = if (storage.assetsTaken.exists()) storage.assetsTaken.readLines().toSet() else emptySet()
        for (name in app.assets.list("bundles").orEmpty()) {
            if (name in taken || !name.endsWith(".zip")) continue
            try {
                app.assets.open("bundles/$name").use { from -> storage.incoming.outputStream().use { from.copyTo(it) } }
                store.add(storage.incoming)
            } catch (error: MobiError) {
                tell(NoticeKind.BUNDLE_REFUSED, error.message.orEmpty())
            }
            storage.incoming.delete()
            storage.assetsTaken.appendText("$name\n")
        }
    }

    /** What a computer copied; what is refused stays where it is, for the computer to see. */
    private fun takeInbox() {
        for (source in storage.inbox.listFiles().orEmpty()) {
            if (source.name.startsWith(".")) continue // not a bundle, but a computer's own
            try {
                store.add(source)
                source.deleteRecursively()
            } catch (error: MobiError) {
                tell(NoticeKind.BUNDLE_REFUSED, error.message.orEmpty())
            }
        }
    }

    companion object {
        /** How the lab server calls this phone. */
        val DEVICE_NAME: String get() = "${Build.MANUFACTURER} ${Build.MODEL}"
    }
}
