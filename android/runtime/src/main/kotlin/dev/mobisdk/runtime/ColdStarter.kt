package dev.mobisdk.runtime

/** Takes cold runs, each in a process of its own that has loaded nothing before; there [BenchmarkRunner.runCold] is called. */
public fun interface ColdStarter {
    /**
     * Starts a process for the first load and the first inference of [bundle] with [threads], and returns its run.
     *
     * @throws DeviceError the process failed, or did not end.
     */
    public fun startCold(
        bundle: ModelBundle,
        threads: Int?,
    ): LatencyRun
}
