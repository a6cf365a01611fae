package dev.mobisdk.executorch

import dev.mobisdk.runtime.ConfigError

/** ExecuTorch's thread pool is the process's: whoever loads first decides how many threads it has. */
internal class ThreadCount {
    private var taken: Int? = null

    /** The count that was asked for; null where nothing was loaded yet, or the runtime chose. */
    @get:Synchronized
    val decided: Int? get() = taken?.takeIf { it != RUNTIMES_OWN }

    /** Returns what ExecuTorch is told: 0 for its own choice. Null takes what the process has. */
    @Synchronized
    fun decide(threads: Int?): Int {
        val present = taken ?: return (threads ?: RUNTIMES_OWN).also { taken = it }
        if (threads == null || threads == present) return present
        throw ConfigError(
            "this process runs with another thread count already",
            got = "$threads",
            allowed = if (present == RUNTIMES_OWN) "the runtime's own" else "$present",
            hint = "Quit the app and start it anew",
        )
    }

    companion object {
        private const val RUNTIMES_OWN = 0

        val OF_PROCESS = ThreadCount()
    }
}
