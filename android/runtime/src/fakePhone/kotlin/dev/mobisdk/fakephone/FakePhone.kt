package dev.mobisdk.fakephone

import dev.mobisdk.runtime.BenchConfig
import dev.mobisdk.runtime.BenchmarkRunner
import dev.mobisdk.runtime.LatencyLog
import dev.mobisdk.runtime.LatencyRun
import dev.mobisdk.runtime.MobiError
import dev.mobisdk.runtime.Mode
import dev.mobisdk.runtime.ModelBundle
import dev.mobisdk.runtime.lab.BundleStore
import dev.mobisdk.runtime.lab.JoinLink
import dev.mobisdk.runtime.lab.LabClient
import dev.mobisdk.runtime.lab.PinnedTransport
import dev.mobisdk.runtime.lab.Uploader
import dev.mobisdk.runtime.parseLatencyRun
import dev.mobisdk.runtime.toJsonLine
import java.io.File
import kotlin.system.exitProcess

private const val USAGE =
    """FakePhone lab FOLDER LINK RUNS [HALT]   joins the server, fetches its bundles, measures each RUNS times, uploads
FakePhone cold FOLDER BUNDLE            prints the run of a first load
HALT ends the process as a kill would: download (in a file), line (in a log's line), answer (before it is noted)."""

/**
 * A phone that is none: the runtime as the app uses it, on a JVM, with a classifier that gives the golden logits. All its
 * state is in one folder; started again after a kill, it goes on where it was.
 */
fun main(arguments: Array<String>) {
    try {
        when (arguments.firstOrNull()) {
            "lab" -> FakePhone(File(arguments[1]), arguments.getOrNull(4)).visitLab(arguments[2], arguments[3].toInt())
            "cold" -> println(FakePhone(File(arguments[1]), null).runCold(arguments[2]).toJsonLine())
            else -> throw IllegalArgumentException(USAGE)
        }
    } catch (error: MobiError) {
        System.err.println(error.message)
        exitProcess(1)
    }
}

private class FakePhone(
    private val folder: File,
    private val halt: String?,
) {
    private val log = LatencyLog(File(folder, "runs.jsonl"))
    private val store = BundleStore(File(folder, "bundles"))
    private val facts = HostFacts()

    fun visitLab(
        link: String,
        runs: Int,
    ) {
        val client = join(JoinLink.parse(link))
        val bundles = client.listBundles().map { store.download(it.bundleId, client) }
        println("bundles ${bundles.joinToString(" ") { it.name }}")
        measure(bundles, runs)
        println("log ${log.read().runs.size} ${log.read().setAside.size}")
        val progress = Uploader(log.file, client).sendAll()
        println("sent ${progress.accepted} ${progress.duplicates} ${progress.rejected.size}")
    }

    fun runCold(name: String): LatencyRun {
        val bundle = ModelBundle.open(File(folder, "bundles/$name"))
        return BenchmarkRunner(BenchConfig(), facts, ::GoldenClassifier, ::decodePng).runCold(bundle)
    }

    /** The code is good once: the token is kept, as the app keeps it in the phone's key store. */
    private fun join(link: JoinLink): LabClient {
        val transport = HaltingTransport(PinnedTransport(link.host, link.port, link.fingerprint), halt)
        val file = File(folder, "token")
        if (!file.exists()) file.writeText(LabClient(transport, null).join(link.code, "FakePhone"))
        return LabClient(transport, file.readText())
    }

    /** What is missing in the log, a cold start of each bundle first. */
    private fun measure(
        bundles: List<ModelBundle>,
        runs: Int,
    ) {
        for (bundle in bundles) {
            val done = log.read().runs.filter { it.bundle.bundleId == bundle.manifest.bundleId }
            val bursts = runs - done.count { it.mode == Mode.BURST }
            val config = BenchConfig(runs = maxOf(1, bursts), samples = 20, coldStarts = if (done.any { it.mode == Mode.COLD }) 0 else 1)
            if (bursts <= 0) continue
            BenchmarkRunner(config, facts, ::GoldenClassifier, ::decodePng, ::startCold).run(listOf(bundle)) { run ->
                if (halt == "line" && log.read().runs.size == 2) haltInLine(run)
                log.append(run)
            }
        }
    }

    private fun startCold(
        bundle: ModelBundle,
        @Suppress("UNUSED_PARAMETER") threads: Int?,
    ): LatencyRun {
        val java = File(System.getProperty("java.home"), "bin/java").path
        val command =
            listOf(
                java,
                "-cp",
                System.getProperty("java.class.path"),
                "dev.mobisdk.fakephone.FakePhoneKt",
                "cold",
                folder.path,
                bundle.name,
            )
        val child = ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        val line = child.inputStream.readBytes()
        check(child.waitFor() == 0) { "the child failed" }
        return parseLatencyRun(line)
    }

    private fun haltInLine(run: LatencyRun) {
        log.file.appendText(run.toJsonLine().let { it.substring(0, it.length / 2) })
        haltNow()
    }
}

/** No handler runs, nothing is flushed: a kill. */
internal fun haltNow(): Nothing {
    Runtime.getRuntime().halt(HALTED)
    error("halted")
}

private const val HALTED = 9
