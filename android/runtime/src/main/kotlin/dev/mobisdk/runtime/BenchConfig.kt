package dev.mobisdk.runtime

/** More do not fit into a line of the log. */
internal const val LARGEST_SAMPLES = 300_000
private const val LONGEST_SECONDS = 3600.0

/**
 * How much the benchmark measures: every bundle is started cold [coldStarts] times, then measured in [runs] rounds of
 * one run each.
 *
 * @property threads of the runtime; one count a process; null where the runtime decides.
 * @property mode [Mode.BURST] or [Mode.SUSTAINED].
 * @property runs rounds.
 * @property samples of a run in burst mode.
 * @property seconds of a run in sustained mode.
 * @property coldStarts starts of each bundle in a process of its own.
 * @throws ConfigError a value is outside what is allowed.
 */
public data class BenchConfig(
    val threads: Int? = null,
    val mode: Mode = Mode.BURST,
    val runs: Int = 10,
    val samples: Int = 50,
    val seconds: Double = 60.0,
    val coldStarts: Int = 0,
) {
    init {
        if (mode != Mode.BURST && mode != Mode.SUSTAINED) {
            throw ConfigError("mode is unknown", got = "$mode", allowed = "BURST, SUSTAINED")
        }
        requireWithin("threads", threads ?: 1, 1, 1024)
        requireWithin("runs", runs, 1, 10_000)
        requireWithin("samples", samples, 1, LARGEST_SAMPLES)
        requireWithin("coldStarts", coldStarts, 0, 1000)
        if (!(seconds > 0 && seconds <= LONGEST_SECONDS)) {
            throw ConfigError("seconds must be a number", got = "$seconds", allowed = "0 < seconds ≤ $LONGEST_SECONDS", hint = "Try 60")
        }
    }

    private fun requireWithin(
        name: String,
        value: Int,
        least: Int,
        most: Int,
    ) {
        if (value < least || value > most) throw ConfigError("$name is out of range", got = "$value", allowed = "$least to $most")
    }
}

/** Gives every item once a round, each round beginning with the next one: heat and drift are shared fairly. */
internal fun <T> interleave(
    items: List<T>,
    rounds: Int,
): List<T> = (0 until rounds).flatMap { start -> items.indices.map { items[(start + it) % items.size] } }
