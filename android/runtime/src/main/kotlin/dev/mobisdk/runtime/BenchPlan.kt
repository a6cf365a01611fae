package dev.mobisdk.runtime

private const val LARGEST_PLAN_BYTES = 64 * 1024
private const val DEFAULT_RUNS = 10
private const val DEFAULT_SAMPLES = 50
private const val DEFAULT_SECONDS = 60.0

/**
 * What an app measures without a hand on the phone: a file in its own storage (`mobisdk.plan/1`).
 *
 * @property bundles folders of the bundle store; none means all of them.
 * @property mode what ends a run, or [Mode.COLD]: the first load of a process that has loaded nothing, of one bundle.
 * @property config how much is measured; not used where [mode] is cold.
 * @property computeUnits Core ML's; null: the bundle's.
 */
public data class BenchPlan(
    val bundles: List<String>,
    val mode: Mode,
    val config: BenchConfig,
    val computeUnits: String?,
) {
    /** Reads plans. */
    public companion object {
        /** The name of the contract. */
        public const val SCHEMA: String = "mobisdk.plan/1"
        private val KEYS = setOf("schema", "bundles", "mode", "runs", "samples", "seconds", "threads", "compute_units")
        private val MODES = mapOf("cold" to Mode.COLD, "burst" to Mode.BURST, "sustained" to Mode.SUSTAINED)
        private val COMPUTE_UNITS = listOf("all", "cpuAndNeuralEngine", "cpuAndGPU", "cpuOnly")
        private val FOLDER_NAME = Regex("[A-Za-z0-9][A-Za-z0-9._-]{0,199}")

        /**
         * Reads a plan's file.
         *
         * @throws ConfigError names the key: a plan that means more than this app understands is not measured.
         */
        public fun parse(content: ByteArray): BenchPlan {
            if (content.size > LARGEST_PLAN_BYTES) {
                throw ConfigError("the plan is too large", got = "${content.size} bytes", allowed = "at most 64 KiB")
            }
            try {
                return read(JsonReader(StrictJson.parse(content)))
            } catch (exc: MalformedJson) {
                throw ConfigError("the plan is not JSON: ${exc.message}", cause = exc)
            } catch (exc: OddJsonValue) {
                throw ConfigError(
                    "${exc.path} of the plan is wrong",
                    got = exc.value,
                    allowed = "finite numbers, whole characters",
                    cause = exc,
                )
            } catch (exc: JsonMismatch) {
                throw ConfigError("${exc.path} of the plan is wrong: ${exc.reason}", cause = exc)
            }
        }

        private fun read(plan: JsonReader): BenchPlan {
            val schema = plan["schema"]
            if (schema.text() != SCHEMA) schema.fail("it must be $SCHEMA")
            (plan.keys() - KEYS).minOrNull()?.let { plan[it].fail("it is not known here") }
            val mode =
                plan.find("mode")?.let { MODES[it.text()] ?: it.fail("it must be one of ${MODES.keys.joinToString()}") } ?: Mode.BURST
            return BenchPlan(
                bundles = readBundles(plan, mode),
                mode = mode,
                config =
                    BenchConfig(
                        threads = plan.find("threads")?.nonNull()?.int(),
                        mode = if (mode == Mode.SUSTAINED) Mode.SUSTAINED else Mode.BURST,
                        runs = plan.find("runs")?.int() ?: DEFAULT_RUNS,
                        samples = plan.find("samples")?.int() ?: DEFAULT_SAMPLES,
                        seconds = plan.find("seconds")?.number() ?: DEFAULT_SECONDS,
                    ),
                computeUnits =
                    plan.find("compute_units")?.nonNull()?.let {
                        if (it.text() in COMPUTE_UNITS) it.text() else it.fail("it must be one of ${COMPUTE_UNITS.joinToString()}")
                    },
            )
        }

        private fun readBundles(
            plan: JsonReader,
            mode: Mode,
        ): List<String> {
            val names = plan.find("bundles")
            val bundles =
                names?.items().orEmpty().map {
                    if (FOLDER_NAME.matches(it.text())) it.text() else it.fail("it must be the name of a bundle's folder")
                }
            if (bundles.toSet().size < bundles.size) names!!.fail("a bundle is there twice")
            if (mode == Mode.COLD && bundles.size != 1) {
                throw JsonMismatch(JsonPath.ROOT + "bundles", "a cold start is of exactly one bundle")
            }
            return bundles
        }
    }
}
