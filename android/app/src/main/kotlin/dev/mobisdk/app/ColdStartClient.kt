package dev.mobisdk.app

import android.content.ComponentName
import android.content.Context
import android.content.Intent
import android.content.ServiceConnection
import android.os.Bundle
import android.os.Handler
import android.os.IBinder
import android.os.Looper
import android.os.Message
import android.os.Messenger
import android.os.RemoteException
import dev.mobisdk.runtime.ColdStarter
import dev.mobisdk.runtime.DeviceError
import dev.mobisdk.runtime.LatencyRun
import dev.mobisdk.runtime.ModelBundle
import dev.mobisdk.runtime.parseLatencyRun
import java.util.concurrent.ArrayBlockingQueue
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit

private const val LONGEST_START_S = 300L
private const val LONGEST_END_S = 10L

/** Starts [ColdStartService]'s process for each run, and waits until it is gone. Not for the main thread. */
class ColdStartClient(
    private val context: Context,
    private val isForeground: () -> Boolean,
) : ColdStarter {
    override fun startCold(
        bundle: ModelBundle,
        threads: Int?,
    ): LatencyRun {
        val wasForeground = isForeground()
        val connection = Connection(bundle, threads ?: 0)
        val flags = Context.BIND_AUTO_CREATE or Context.BIND_IMPORTANT
        try {
            if (!context.bindService(Intent(context, ColdStartService::class.java), connection, flags)) {
                throw DeviceError("the process for a cold start cannot be started", hint = "Restart the phone and try again")
            }
            val answer =
                connection.answers.poll(LONGEST_START_S, TimeUnit.SECONDS)
                    ?: throw DeviceError("a cold start of ${bundle.name} did not end", allowed = "$LONGEST_START_S s")
            val line = answer.getString(ColdStartService.RUN)
            if (line == null) {
                val reason = answer.getString(ColdStartService.ERROR) ?: "its process ended; is there enough memory?"
                throw DeviceError("a cold start of ${bundle.name} failed: $reason")
            }
            val run = parseLatencyRun(line.toByteArray())
            val stayed = wasForeground && isForeground()
            return run.copy(conditions = run.conditions.copy(foreground = stayed))
        } finally {
            context.unbindService(connection)
            connection.ended.await(LONGEST_END_S, TimeUnit.SECONDS)
        }
    }

    private class Connection(
        private val bundle: ModelBundle,
        private val threads: Int,
    ) : ServiceConnection {
        val answers = ArrayBlockingQueue<Bundle>(2)
        val ended = CountDownLatch(1)

        private val replies =
            Messenger(
                Handler(Looper.getMainLooper()) {
                    answers.offer(it.data)
                    true
                },
            )

        override fun onServiceConnected(
            name: ComponentName,
            service: IBinder,
        ) {
            try {
                service.linkToDeath({ fail() }, 0)
                val request = Message.obtain(null, ColdStartService.START)
                request.replyTo = replies
                request.data =
                    Bundle().apply {
                        putString(ColdStartService.FOLDER, bundle.directory.path)
                        putInt(ColdStartService.THREADS, threads)
                    }
                Messenger(service).send(request)
            } catch (_: RemoteException) {
                fail()
            }
        }

        /** The process is gone: as it should be after its answer, too early before it. */
        private fun fail() {
            answers.offer(Bundle())
            ended.countDown()
        }

        override fun onServiceDisconnected(name: ComponentName) = fail()
    }
}
