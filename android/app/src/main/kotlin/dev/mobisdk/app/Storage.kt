package dev.mobisdk.app

import android.content.Context
import java.io.File

/**
 * Where the app's files lie.
 *
 * Bundles lie in internal storage, as in an app that ships them: elsewhere a file system of its own would be measured
 * with them. What a computer puts there or fetches by cable, `adb` reaches without root.
 */
class Storage(
    context: Context,
) {
    /** `/sdcard/Android/data/dev.mobisdk.app/files`, or internal storage where there is none. */
    private val shared: File = context.getExternalFilesDir(null) ?: context.filesDir

    /** Bundles, each checked to the byte when it came. */
    val bundles = File(context.filesDir, "bundles")

    /** Bundles that a computer put here; they are taken into [bundles] when the app starts. */
    val inbox = File(shared, "inbox")

    /** `NAME.json`, and what became of it in `NAME.result.json`. */
    val plans = File(shared, "plans")

    /** Every run. */
    val log = File(shared, "latency.jsonl")

    /** What the person chose. */
    val saved = File(context.filesDir, "saved.json")

    /** There while a benchmark runs, so that the next start knows of one that was killed; holds the plan's name. */
    val running = File(context.filesDir, "running")

    /** Names of the app's own bundles that were taken in: one that the person removed does not come back. */
    val assetsTaken = File(context.filesDir, "assets-taken.txt")

    /** What other apps may read for a moment: the photo that the camera takes, the log that is shared. */
    val shareable = File(context.cacheDir, "shareable")

    /** A zip file on its way in. */
    val incoming = File(context.cacheDir, "incoming.zip")

    val labAccount = File(context.filesDir, "lab.json")

    init {
        for (folder in listOf(inbox, plans, shareable)) folder.mkdirs()
    }
}
