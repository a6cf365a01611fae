package dev.mobisdk.app

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.ClipData
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.provider.MediaStore
import android.view.View
import android.view.WindowManager
import android.widget.RadioGroup
import android.widget.TextView
import dev.mobisdk.app.core.Bench
import dev.mobisdk.app.core.Lab
import dev.mobisdk.app.core.Notice
import dev.mobisdk.app.core.NoticeKind
import dev.mobisdk.app.core.Screen
import dev.mobisdk.app.core.UiEvent
import dev.mobisdk.app.core.UiState
import dev.mobisdk.app.core.planOf
import dev.mobisdk.app.screens.BenchmarkActions
import dev.mobisdk.app.screens.BenchmarkScreen
import dev.mobisdk.app.screens.BundlesActions
import dev.mobisdk.app.screens.BundlesScreen
import dev.mobisdk.app.screens.ClassifyActions
import dev.mobisdk.app.screens.ClassifyScreen
import dev.mobisdk.app.screens.ResultsActions
import dev.mobisdk.app.screens.ResultsScreen
import dev.mobisdk.app.screens.TEXT_OF_NOTICE
import dev.mobisdk.app.screens.find
import dev.mobisdk.app.screens.show
import dev.mobisdk.app.screens.showChecked
import dev.mobisdk.app.screens.showText
import dev.mobisdk.runtime.MobiError
import dev.mobisdk.runtime.Mode
import dev.mobisdk.runtime.lab.JoinLink
import java.io.File
import java.io.IOException
import java.io.InputStream

/** The window: shows the holder's state, and turns touches into events and work. It keeps nothing itself. */
class MainActivity : Activity() {
    private val app get() = application as MobiApplication
    private val work get() = app.work
    private val holder get() = app.holder
    private val clock = Handler(Looper.getMainLooper())
    private val readPhone = Runnable { tick() }
    private val onTab = RadioGroup.OnCheckedChangeListener { _, id -> SCREEN_OF_TAB[id]?.let { holder.dispatch(UiEvent.ScreenChosen(it)) } }

    private val root: View get() = window.decorView
    private lateinit var tabs: RadioGroup
    private lateinit var bundles: BundlesScreen
    private lateinit var classify: ClassifyScreen
    private lateinit var benchmark: BenchmarkScreen
    private lateinit var results: ResultsScreen

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_main)
        tabs = root.find(R.id.tabs)
        tabs.setOnCheckedChangeListener(onTab)
        bundles = BundlesScreen(root.find(R.id.list_bundles), onBundles)
        classify = ClassifyScreen(root.find(R.id.screen_classify), onClassify)
        benchmark = BenchmarkScreen(root.find(R.id.list_benchmark), onBenchmark)
        results = ResultsScreen(root.find(R.id.list_results), onResults)
        root.find<View>(R.id.notice_close).setOnClickListener { holder.dispatch(UiEvent.NoticeRead) }
        if (holder.state == UiState.Starting) work.start()
        // A turned phone, or a process that was ended, brings the old intent again: it was answered already.
        if (savedInstanceState == null) answer(intent) else savedInstanceState.getString(LINK)?.let(::openLink)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        answer(intent)
    }

    override fun onResume() {
        super.onResume()
        holder.observe(::render)
        tick()
    }

    override fun onPause() {
        super.onPause()
        clock.removeCallbacks(readPhone)
        holder.observe(null)
    }

    /** A link that waits for its answer holds a secret: it lives in the system's memory, and in no file. */
    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        if (waitsForAnswer()) outState.putString(LINK, intent.dataString)
    }

    private fun waitsForAnswer() = (holder.state as? UiState.Ready)?.lab is Lab.Confirming

    private fun answer(intent: Intent) {
        setIntent(intent)
        if (intent.action == Intent.ACTION_VIEW) {
            intent.dataString?.let(::openLink)
        } else {
            intent.getStringExtra(PLAN)?.let { work.bench.startPlan(it) }
        }
    }

    private fun openLink(text: String) {
        val event =
            try {
                UiEvent.LinkOpened(JoinLink.parse(text))
            } catch (error: MobiError) {
                UiEvent.NoticeCame(Notice(NoticeKind.LINK_REFUSED, error.message.orEmpty()))
            }
        work.onDisk { holder.dispatch(event) } // after the start
    }

    /** Battery and heat, rarely: asking costs the processor that is being measured. */
    private fun tick() {
        clock.removeCallbacks(readPhone)
        val state = holder.state as? UiState.Ready
        if (state?.screen == Screen.BENCHMARK) holder.dispatch(UiEvent.PhoneRead(app.facts.readConditions()))
        clock.postDelayed(readPhone, TICK_MS)
    }

    private fun render(state: UiState) {
        val ready = state as? UiState.Ready
        root.find<View>(R.id.starting).show(state == UiState.Starting)
        root.find<TextView>(R.id.broken).showText((state as? UiState.Broken)?.let { getString(R.string.broken, it.reason) }.orEmpty())
        tabs.show(ready != null)
        for ((view, screen) in SCREEN_OF_VIEW) root.find<View>(view).show(ready?.screen == screen)
        root.find<View>(R.id.notice_bar).show(ready?.notice != null)
        if (ready == null) return
        ready.notice?.let { root.find<TextView>(R.id.notice).showText(getString(TEXT_OF_NOTICE.getValue(it.kind), it.detail)) }
        tabs.showChecked(SCREEN_OF_TAB.entries.first { it.value == ready.screen }.key, onTab)
        keepScreenOn(ready.bench is Bench.Running)
        when (ready.screen) {
            Screen.BUNDLES -> bundles.render(ready)
            Screen.CLASSIFY -> classify.render(ready)
            Screen.BENCHMARK -> benchmark.render(ready)
            Screen.RESULTS -> results.render(ready)
        }
    }

    private fun keepScreenOn(isOn: Boolean) {
        val flag = WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON
        if (isOn) window.addFlags(flag) else window.clearFlags(flag)
    }

    private val onBundles =
        object : BundlesActions {
            override fun addFile() =
                ask(ASK_BUNDLE, Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("application/zip"))

            override fun remove(name: String) {
                work.remove(name)
            }

            override fun join() {
                val lab = (holder.state as? UiState.Ready)?.lab as? Lab.Confirming ?: return
                holder.dispatch(UiEvent.JoinConfirmed)
                work.lab.join(lab.link)
            }

            override fun refuseJoin() = holder.dispatch(UiEvent.JoinRefused)

            override fun leave() = work.lab.leave()

            override fun readOffers() = work.lab.readOffers()

            override fun download(bundleId: String) = work.lab.download(bundleId)
        }

    private val onClassify =
        object : ClassifyActions {
            override fun chooseBundle(name: String) = holder.dispatch(UiEvent.ClassifyBundleChosen(name))

            /** The system's photo picker (API level 33, and older phones with Google's services), or else its file picker. */
            override fun choosePhoto() {
                val picker = Intent("android.provider.action.PICK_IMAGES").setType("image/*")
                val files = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*")
                ask(ASK_PHOTO, picker, files)
            }

            override fun takePhoto() {
                val uri = SharedFiles.uriOf(this@MainActivity, SharedFiles.PHOTO)
                val camera = Intent(MediaStore.ACTION_IMAGE_CAPTURE).putExtra(MediaStore.EXTRA_OUTPUT, uri)
                camera.clipData = ClipData.newRawUri("", uri)
                camera.addFlags(Intent.FLAG_GRANT_WRITE_URI_PERMISSION or Intent.FLAG_GRANT_READ_URI_PERMISSION)
                ask(ASK_CAMERA, camera)
            }
        }

    private val onBenchmark =
        object : BenchmarkActions {
            override fun toggle(name: String) = holder.dispatch(UiEvent.BundleToggled(name))

            override fun chooseMode(mode: Mode) = holder.dispatch(UiEvent.ModeChosen(mode))

            override fun chooseThreads(threads: Int?) = holder.dispatch(UiEvent.ThreadsChosen(threads))

            override fun start() {
                val state = holder.state as? UiState.Ready ?: return
                if (state.bench !is Bench.Running) work.bench.start(planOf(state.choice, state.chosenBundles.map { it.name }))
            }

            override fun cancel() = work.bench.cancel()

            /** A thread count is the process's: another one needs another process. */
            override fun restart() {
                startActivity(Intent.makeRestartActivityTask(componentName))
                Runtime.getRuntime().exit(0)
            }
        }

    private val onResults =
        object : ResultsActions {
            override fun share() = work.onDisk(::copyLog)

            override fun upload() = work.lab.upload()
        }

    /** Shares a copy: the log itself is never lent. */
    private fun copyLog() {
        try {
            app.storage.log.copyTo(File(app.storage.shareable, SharedFiles.LOG), overwrite = true)
        } catch (exc: IOException) {
            work.tell(NoticeKind.SHARE_FAILED, exc.message.orEmpty())
            return
        }
        runOnUiThread {
            val uri = SharedFiles.uriOf(this, SharedFiles.LOG)
            val send = Intent(Intent.ACTION_SEND).setType("application/x-ndjson").putExtra(Intent.EXTRA_STREAM, uri)
            send.clipData = ClipData.newRawUri("", uri)
            startActivity(Intent.createChooser(send.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION), getString(R.string.share_log)))
        }
    }

    /** Asks the first of these apps that is there. */
    private fun ask(
        request: Int,
        vararg intents: Intent,
    ) {
        for (intent in intents) {
            try {
                return startActivityForResult(intent, request)
            } catch (_: ActivityNotFoundException) {
                continue
            }
        }
        work.tell(NoticeKind.NO_APP)
    }

    override fun onActivityResult(
        requestCode: Int,
        resultCode: Int,
        data: Intent?,
    ) {
        if (resultCode != RESULT_OK) return
        val resolver = app.contentResolver
        when (requestCode) {
            ASK_BUNDLE -> data?.data?.let { uri -> work.add { resolver.openInputStream(uri) } }
            ASK_PHOTO -> data?.data?.let { uri -> classify { resolver.openInputStream(uri) } }
            ASK_CAMERA -> classify { File(app.storage.shareable, SharedFiles.PHOTO).inputStream() }
        }
    }

    private fun classify(open: () -> InputStream?) = work.onDisk { runOnUiThread { startClassifying(open) } }

    private fun startClassifying(open: () -> InputStream?) {
        val state = holder.state as? UiState.Ready ?: return
        if (state.bench is Bench.Running) return
        state.classifyingBundle?.let { work.classify.classify(it.name, open) }
    }

    private companion object {
        const val PLAN = "plan"
        const val LINK = "link"
        const val TICK_MS = 5000L
        const val ASK_BUNDLE = 1
        const val ASK_PHOTO = 2
        const val ASK_CAMERA = 3

        val SCREEN_OF_TAB =
            linkedMapOf(
                R.id.tab_bundles to Screen.BUNDLES,
                R.id.tab_classify to Screen.CLASSIFY,
                R.id.tab_benchmark to Screen.BENCHMARK,
                R.id.tab_results to Screen.RESULTS,
            )
        val SCREEN_OF_VIEW =
            linkedMapOf(
                R.id.list_bundles to Screen.BUNDLES,
                R.id.screen_classify to Screen.CLASSIFY,
                R.id.list_benchmark to Screen.BENCHMARK,
                R.id.list_results to Screen.RESULTS,
            )
    }
}
