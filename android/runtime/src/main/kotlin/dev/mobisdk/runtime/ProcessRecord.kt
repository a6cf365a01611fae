package dev.mobisdk.runtime

/** What this process has loaded: its first load alone is cold, and its thread count is the runtime's for good. */
internal class ProcessRecord {
    private var threads: Int? = null

    /** Whether a cold start is no longer possible here. */
    var hasLoaded = false
        private set

    @Synchronized
    fun noteLoad(threads: Int?) {
        if (hasLoaded && threads != this.threads) {
            throw UnsupportedError(
                "this process measures with another thread count already",
                got = "${threads ?: "the runtime's own"}",
                allowed = "${this.threads ?: "the runtime's own"}",
                hint = "Quit the app and start it anew",
            )
        }
        this.threads = threads
        hasLoaded = true
    }

    companion object {
        val CURRENT = ProcessRecord()
    }
}
