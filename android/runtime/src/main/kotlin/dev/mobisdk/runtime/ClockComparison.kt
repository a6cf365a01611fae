package dev.mobisdk.runtime

import java.time.Clock
import java.time.Duration
import java.time.Instant

/** Durations come from the monotonic clock alone; the other one is watched, because people and networks set it. */
internal class ClockComparison(
    private val clock: NanoClock,
    private val wallClock: Clock,
) {
    private val startNs = clock.nanos()
    private val start: Instant = wallClock.instant()

    /** Says how far the phone's clock was set since this was made; null where it was not. */
    fun readStep(): String? {
        val step = Duration.between(start, wallClock.instant()).minusNanos(clock.nanos() - startNs).toMillis() / 1000
        if (step == 0L) return null
        return "the phone's clock was set ${if (step < 0) "back" else "forward"} by ${Math.abs(step)} s during this run"
    }
}
