package dev.mobisdk.app.core

import dev.mobisdk.runtime.BenchConfig
import dev.mobisdk.runtime.BenchPlan
import dev.mobisdk.runtime.Mode
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

private const val SUSTAINED_SECONDS = 600.0
private val PLAN_NAME = Regex("[A-Za-z0-9_-]{1,64}")

/** What the person chose, as a plan: ten runs, ten cold starts, or ten minutes. */
fun planOf(
    choice: BenchChoice,
    bundles: List<String>,
): BenchPlan {
    val isSustained = choice.mode == Mode.SUSTAINED
    val config =
        BenchConfig(
            threads = choice.threads,
            mode = if (isSustained) Mode.SUSTAINED else Mode.BURST,
            runs = if (isSustained) 1 else 10,
            seconds = SUSTAINED_SECONDS,
        )
    return BenchPlan(bundles, choice.mode, config, computeUnits = null)
}

/** Whether a plan may have this name: nothing else ever becomes a path. */
fun isPlanName(name: String): Boolean = PLAN_NAME.matches(name)

/** How a plan ended. */
enum class PlanStatus { FINISHED, FAILED, CANCELLED }

/** The text of `NAME.result.json`; [error] is null where there was none. */
fun describePlanResult(
    plan: String,
    status: PlanStatus,
    runs: Int,
    error: String?,
): String =
    JsonObject(
        mapOf(
            "schema" to JsonPrimitive("mobisdk.plan-result/1"),
            "plan" to JsonPrimitive(plan),
            "status" to JsonPrimitive(status.name.lowercase()),
            "runs" to JsonPrimitive(runs),
            "error" to (error?.let(::JsonPrimitive) ?: JsonNull),
        ),
    ).toString() + "\n"
