package dev.mobisdk.app

import android.os.Handler
import android.os.Looper
import dev.mobisdk.app.core.Saved
import dev.mobisdk.app.core.UiEvent
import dev.mobisdk.app.core.UiState
import dev.mobisdk.app.core.reduce
import java.io.File
import java.io.IOException
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors

/** The one holder of the one state. Events come from any thread; state changes on the main one. */
class StateHolder(
    private val savedFile: File,
) {
    private val main = Handler(Looper.getMainLooper())
    private val disk: ExecutorService = Executors.newSingleThreadExecutor()
    private var observer: ((UiState) -> Unit)? = null
    private var lastSaved: Saved? = null

    var state: UiState = UiState.Starting
        private set

    fun dispatch(event: UiEvent) {
        if (Looper.myLooper() == main.looper) apply(event) else main.post { apply(event) }
    }

    /** Tells [observer] the state now and after every change; null ends it. Main thread only. */
    fun observe(observer: ((UiState) -> Unit)?) {
        this.observer = observer
        observer?.invoke(state)
    }

    private fun apply(event: UiEvent) {
        val next = reduce(state, event)
        if (next == state) return
        state = next
        observer?.invoke(next)
        if (next is UiState.Ready) save(Saved.of(next))
    }

    private fun save(saved: Saved) {
        if (saved == lastSaved) return
        lastSaved = saved
        disk.execute {
            try {
                Saved.write(saved, savedFile)
            } catch (_: IOException) {
                // A full disk loses a choice, not a number; the log has its own way of saying that there is no space.
            }
        }
    }
}
