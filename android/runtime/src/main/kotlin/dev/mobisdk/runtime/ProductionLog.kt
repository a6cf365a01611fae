package dev.mobisdk.runtime

import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.nio.file.Files
import java.nio.file.StandardCopyOption
import java.time.Clock
import java.util.UUID
import java.util.concurrent.ArrayBlockingQueue
import java.util.concurrent.Executor
import java.util.concurrent.ThreadLocalRandom
import java.util.concurrent.ThreadPoolExecutor
import java.util.concurrent.TimeUnit

private const val DEFAULT_LARGEST_BYTES = 1024 * 1024
private const val LEAST_LARGEST_BYTES = 16 * 1024
private const val MOST_LARGEST_BYTES = 16 * 1024 * 1024
private const val MOST_WAITING = 64
private const val IDLE_SECONDS = 10L
private const val MILLIS_PER_DAY = 86_400_000L

/**
 * Times of one classification in an app that people use.
 *
 * @property preprocessNs from the photograph to the network's input.
 * @property inferenceNs the network.
 * @property postprocessNs from logits to classes.
 */
public data class PhaseTimes(
    val preprocessNs: Long,
    val inferenceNs: Long,
    val postprocessNs: Long,
)

/**
 * Times of an app's own classifications, for its developer: a share of them, in a bounded file on the phone.
 *
 * There is none unless the app makes one. It holds no image, no answer, no note and no exact time; its ids change daily; and
 * it is handed to the app, which decides where it goes: this class opens no connection. Whoever classifies never waits for
 * the file: lines are written by a thread of their own, without fsync, and where it falls behind they are not drawn.
 *
 * @param file in the app's own storage; made with the first line.
 * @param share of the classifications, 0 to 1, that are logged.
 * @param facts of the phone, and the app's name.
 * @param largestBytes of the file; where a line would pass it, the older half goes.
 * @throws ConfigError [share] or [largestBytes] is out of range.
 */
public class ProductionLog internal constructor(
    private val file: File,
    private val share: Double,
    private val facts: DeviceFacts,
    private val largestBytes: Int,
    private val clock: Clock,
    private val random: () -> Double,
    private val executor: Executor,
) {
    public constructor(file: File, share: Double, facts: DeviceFacts, largestBytes: Int = DEFAULT_LARGEST_BYTES) :
        this(file, share, facts, largestBytes, Clock.systemUTC(), { ThreadLocalRandom.current().nextDouble() }, backgroundThread())

    /** Ids that live for one day at most, so that no two days can be joined. */
    private class DailyIds(
        val day: Long,
    ) {
        val session = UUID.randomUUID().toString()
        val process = UUID.randomUUID().toString()
        var runs = 0L
    }

    init {
        if (!(share >= 0 && share <= 1)) throw ConfigError("share must be a number", got = "$share", allowed = "0 to 1", hint = "Try 0.01")
        if (largestBytes !in LEAST_LARGEST_BYTES..MOST_LARGEST_BYTES) {
            val allowed = "$LEAST_LARGEST_BYTES to $MOST_LARGEST_BYTES"
            throw ConfigError("largestBytes is out of range", got = "$largestBytes", allowed = allowed)
        }
    }

    private val lines = LineFile(file)
    private var ids: DailyIds? = null

    /** Why the last line could not be written; null where it was. */
    @Volatile
    public var lastError: MobiError? = null
        private set

    /** Decides whether one classification is logged: ask before, [append] after. */
    public fun draws(): Boolean = random() < share

    /** Adds a classification that was drawn. Returns at once. */
    public fun append(
        bundle: ModelBundle,
        runtime: RuntimeInfo,
        sourceImage: SourceImage,
        times: PhaseTimes,
    ) {
        executor.execute {
            lastError =
                try {
                    write(describe(bundle, runtime, sourceImage, times).toJsonLine())
                    null
                } catch (error: MobiError) {
                    error
                }
        }
    }

    /**
     * Gives every whole line to [take] as JSON Lines, and removes them when it returns; does nothing where there is none.
     * Where [take] throws, all lines stay.
     *
     * @throws DeviceError the file cannot be read or removed.
     */
    @Synchronized
    public fun handOver(take: (content: ByteArray) -> Unit) {
        val content = onDisk { readLines() }
        if (content.isEmpty()) return
        take(content)
        onDisk { Files.delete(file.toPath()) }
    }

    private fun describe(
        bundle: ModelBundle,
        runtime: RuntimeInfo,
        sourceImage: SourceImage,
        times: PhaseTimes,
    ): LatencyRun {
        val day = Math.floorDiv(clock.millis(), MILLIS_PER_DAY)
        val today = ids?.takeIf { it.day == day } ?: DailyIds(day).also { ids = it }
        return LatencyRun(
            runId = UUID.randomUUID().toString(),
            sessionId = today.session,
            processId = today.process,
            runIndex = today.runs++,
            startedAt = hourOf(clock),
            mode = Mode.PRODUCTION,
            app = facts.app,
            device = facts.device,
            bundle = BundleRef.of(bundle.manifest),
            runtime = runtime,
            placement = Placement(PlacementSource.NONE, emptyMap()),
            conditions = facts.readConditions(),
            cacheState = CacheState.UNKNOWN,
            compileNs = null,
            loadNs = null,
            firstInferenceNs = null,
            sourceImage = sourceImage,
            warmupNs = LongArray(0),
            preprocessNs = longArrayOf(times.preprocessNs),
            inferenceNs = longArrayOf(times.inferenceNs),
            postprocessNs = longArrayOf(times.postprocessNs),
            sampleAtNs = longArrayOf(0),
            thermal = emptyList(),
            memory = Memory(null),
            energy = Energy(null),
            golden = null,
            notes = null,
        )
    }

    @Synchronized
    private fun write(line: String) {
        if (file.length() + line.length + 1 > largestBytes) onDisk { dropOlderHalf() }
        lines.append(line, synchronizing = false)
    }

    private fun dropOlderHalf() {
        val content = readLines()
        val start = (content.size / 2 until content.size).firstOrNull { content[it] == NEWLINE }?.plus(1) ?: content.size
        val partial = File(file.path + ".partial")
        FileOutputStream(partial).use { it.write(content, start, content.size - start) }
        Files.move(partial.toPath(), file.toPath(), StandardCopyOption.ATOMIC_MOVE)
    }

    /** Up to the last line's end: what a kill left behind it is no line. */
    private fun readLines(): ByteArray {
        if (!file.exists()) return ByteArray(0)
        val content = file.readBytes()
        return content.copyOf(content.lastIndexOf(NEWLINE) + 1)
    }

    private fun <T> onDisk(body: () -> T): T =
        try {
            body()
        } catch (exc: IOException) {
            throw DeviceError("${file.name} cannot be kept: ${exc.message}", hint = "Free some space", cause = exc)
        }

    private companion object {
        const val NEWLINE = '\n'.code.toByte()

        fun backgroundThread(): Executor =
            ThreadPoolExecutor(
                0,
                1,
                IDLE_SECONDS,
                TimeUnit.SECONDS,
                ArrayBlockingQueue(MOST_WAITING),
                { work -> Thread(work, "mobisdk-production-log").apply { isDaemon = true } },
                ThreadPoolExecutor.DiscardPolicy(),
            )
    }
}
