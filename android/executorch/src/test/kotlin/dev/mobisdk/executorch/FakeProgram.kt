package dev.mobisdk.executorch

import dev.mobisdk.runtime.ModelBundle
import dev.mobisdk.runtime.ProductionLog
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Tensor
import java.io.File

/** Where a phone would be: it answers with fixed logits, and keeps what it was asked. */
internal class FakeProgram(
    private val output: Tensor = Tensor.fromBlob(floatArrayOf(1f, 3f), longArrayOf(1, 2)),
    override val backends: List<String> = listOf("XnnpackBackend"),
) : Program {
    val inputs = ArrayList<FloatArray>()
    var isClosed = false

    override fun run(input: EValue): EValue {
        inputs.add(input.toTensor().dataAsFloatArray)
        return EValue.from(output)
    }

    override fun close() {
        isClosed = true
    }
}

internal val contractFolder: File =
    generateSequence(File("").absoluteFile) { it.parentFile }.map { File(it, "tests/contract") }.first { it.isDirectory }

internal fun openContractBundle(): ModelBundle = ModelBundle.open(File(contractFolder, "bundles/android"))

internal fun classifierOf(
    program: FakeProgram = FakeProgram(),
    threads: Int? = 2,
    apiLevel: Int = 34,
    processThreads: ThreadCount = ThreadCount(),
    bundle: ModelBundle = openContractBundle(),
    productionLog: ProductionLog? = null,
): ExecuTorchClassifier = ExecuTorchClassifier(bundle, threads, productionLog, processThreads, apiLevel) { _, _ -> program }
