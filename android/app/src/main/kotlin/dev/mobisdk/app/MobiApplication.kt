package dev.mobisdk.app

import android.app.Application
import dev.mobisdk.executorch.AndroidDeviceFacts
import dev.mobisdk.executorch.ForegroundMonitor

/** What lives as long as the process. The process of a cold start makes none of the lazy parts. */
class MobiApplication : Application() {
    lateinit var foreground: ForegroundMonitor
        private set

    val facts by lazy { AndroidDeviceFacts(this, foreground) }
    val storage by lazy { Storage(this) }
    val holder by lazy { StateHolder(storage.saved) }
    val work by lazy { AppWork(this) }

    override fun onCreate() {
        super.onCreate()
        foreground = ForegroundMonitor.watch(this)
    }
}
