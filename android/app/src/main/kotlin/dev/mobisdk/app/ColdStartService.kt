package dev.mobisdk.app

import android.app.Service
import android.content.Intent
import android.os.Bundle
import android.os.Handler
import android.os.HandlerThread
import android.os.IBinder
import android.os.Message
import android.os.Messenger
import android.os.Process
import android.os.RemoteException
import dev.mobisdk.executorch.AndroidDeviceFacts
import dev.mobisdk.executorch.ExecuTorchClassifier
import dev.mobisdk.executorch.ForegroundMonitor
import dev.mobisdk.executorch.decodePhoto
import dev.mobisdk.runtime.BenchConfig
import dev.mobisdk.runtime.BenchmarkRunner
import dev.mobisdk.runtime.Conditions
import dev.mobisdk.runtime.DeviceFacts
import dev.mobisdk.runtime.LatencyRun
import dev.mobisdk.runtime.MobiError
import dev.mobisdk.runtime.ModelBundle
import dev.mobisdk.runtime.toJsonLine
import java.io.File

/**
 * A process of its own that loads one bundle, runs it once, answers with the run, and ends.
 *
 * It has no screen: whether the app was in the foreground is told by the process that asked.
 */
class ColdStartService : Service() {
    private val thread = HandlerThread("cold-start").apply { start() }

    override fun onBind(intent: Intent): IBinder = Messenger(Handler(thread.looper, ::answer)).binder

    /** The next start must find no process: what is loaded here stays loaded. */
    override fun onUnbind(intent: Intent): Boolean {
        Process.killProcess(Process.myPid())
        return false
    }

    private fun answer(request: Message): Boolean {
        val answer = Message.obtain(null, ANSWER)
        answer.data =
            try {
                val folder = File(request.data.getString(FOLDER).orEmpty())
                Bundle().apply { putString(RUN, takeRun(ModelBundle.open(folder), request.data.getInt(THREADS)).toJsonLine()) }
            } catch (error: MobiError) {
                Bundle().apply { putString(ERROR, error.message) }
            }
        try {
            request.replyTo.send(answer)
        } catch (_: RemoteException) {
            Process.killProcess(Process.myPid()) // nobody is there to hear it
        }
        return true
    }

    private fun takeRun(
        bundle: ModelBundle,
        threads: Int,
    ): LatencyRun {
        val count = threads.takeIf { it > 0 }
        val facts = FactsOfAnotherProcess(AndroidDeviceFacts(this, (application as MobiApplication).foreground))
        return BenchmarkRunner(
            config = BenchConfig(threads = count),
            facts = facts,
            openClassifier = { ExecuTorchClassifier(it, count) },
            loadImage = { file -> decodePhoto { file.inputStream() } },
        ).runCold(bundle)
    }

    private class FactsOfAnotherProcess(
        private val facts: DeviceFacts,
    ) : DeviceFacts by facts {
        override fun isForeground() = true

        override fun readConditions(): Conditions = facts.readConditions().copy(foreground = true)
    }

    companion object {
        const val START = 1
        const val ANSWER = 2
        const val FOLDER = "folder"
        const val THREADS = "threads"
        const val RUN = "run"
        const val ERROR = "error"
    }
}
