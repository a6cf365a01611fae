package dev.mobisdk.app

import dev.mobisdk.app.core.PlanStatus
import dev.mobisdk.app.core.describePlanResult
import dev.mobisdk.app.core.isPlanName
import dev.mobisdk.runtime.BenchPlan
import dev.mobisdk.runtime.ConfigError
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.io.InputStream

private const val LARGEST_READ = 64 * 1024 + 1

/** Plans and their results in the app's own storage, and the mark of a benchmark that runs. */
class PlanFiles(
    private val storage: Storage,
) {
    /** Throws [ConfigError] where there is no such plan, or a bad one. */
    fun read(name: String): BenchPlan {
        if (!isPlanName(name)) throw ConfigError("a plan's name is wrong", allowed = "1 to 64 of A-Z a-z 0-9 - _")
        val file = File(storage.plans, "$name.json")
        try {
            return BenchPlan.parse(file.inputStream().use { readAtMost(it) })
        } catch (exc: IOException) {
            throw ConfigError("there is no plan of this name", got = name, hint = "Copy it to ${file.path}", cause = exc)
        }
    }

    private fun readAtMost(stream: InputStream): ByteArray {
        val content = ByteArrayOutputStream()
        val chunk = ByteArray(8192)
        while (content.size() < LARGEST_READ) {
            val count = stream.read(chunk)
            if (count < 0) break
            content.write(chunk, 0, count)
        }
        return content.toByteArray()
    }

    /** An earlier result must not be taken for the one that is waited for. */
    fun removeResult(name: String) {
        File(storage.plans, "$name.result.json").delete()
    }

    /** Whole or not at all: whoever waits for the file never reads half of it. */
    fun write(
        name: String,
        status: PlanStatus,
        runs: Int,
        error: String?,
    ) {
        val file = File(storage.plans, "$name.result.json")
        val partial = File(file.path + ".partial")
        try {
            partial.writeText(describePlanResult(name, status, runs, error))
            if (!partial.renameTo(file)) throw IOException("it cannot be replaced")
        } catch (_: IOException) {
            partial.delete() // a full disk: whoever waits sees no result, and the runs that are in the log
        }
    }

    fun markStart(plan: String?) = storage.running.writeText(plan.orEmpty())

    fun markEnd() {
        storage.running.delete()
    }

    /** The plan that a killed process measured, "" where a person had started it; null where none was killed. */
    fun readInterrupted(): String? =
        try {
            if (storage.running.exists()) storage.running.readText() else null
        } catch (_: IOException) {
            null
        }
}
