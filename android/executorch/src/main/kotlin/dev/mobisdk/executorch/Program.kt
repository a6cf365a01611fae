package dev.mobisdk.executorch

import org.pytorch.executorch.EValue
import org.pytorch.executorch.ExecutorchRuntimeException
import org.pytorch.executorch.Module
import java.io.Closeable
import java.io.File

/** A loaded `forward`, as [ExecuTorchClassifier] uses it: the native library behind it is on phones alone. */
internal interface Program : Closeable {
    /** The backends that the method hands parts of the graph to, as ExecuTorch names them. */
    val backends: List<String>

    /** The method's first output. */
    fun run(input: EValue): EValue
}

/** Loads a program file for so many threads, 0 for the runtime's own choice, until its method is ready to run. */
internal fun interface LoadProgram {
    /** Throws [ProgramFailure]. */
    fun load(
        file: File,
        threads: Int,
    ): Program
}

/** ExecuTorch refused; [isProgramAtFault] where another phone would refuse the file too. */
internal class ProgramFailure(
    message: String,
    val isProgramAtFault: Boolean,
    cause: Throwable,
) : Exception(message, cause)

/** ExecuTorch's own `Module`. */
internal object NativeProgram : LoadProgram {
    private const val METHOD = "forward"

    override fun load(
        file: File,
        threads: Int,
    ): Program =
        translate {
            val module = Module.load(file.path, Module.LOAD_MODE_MMAP, threads)
            try {
                module.loadMethod(METHOD)
                LoadedMethod(module)
            } catch (exc: RuntimeException) {
                module.destroy()
                throw exc
            }
        }

    private class LoadedMethod(
        private val module: Module,
    ) : Program {
        override val backends: List<String> = module.getMethodMetadata(METHOD).backends.toList()

        override fun run(input: EValue): EValue = translate { module.forward(input)[0] }

        override fun close() = module.destroy()
    }

    /** What is no error of the file: a full memory, a backend that this phone or this build lacks. */
    private val PHONES_OWN =
        setOf(
            ExecutorchRuntimeException.NOT_FOUND,
            ExecutorchRuntimeException.MEMORY_ALLOCATION_FAILED,
            ExecutorchRuntimeException.OUT_OF_RESOURCES,
            ExecutorchRuntimeException.DELEGATE_MEMORY_ALLOCATION_FAILED,
        )

    private inline fun <T> translate(body: () -> T): T =
        try {
            body()
        } catch (exc: ExecutorchRuntimeException) {
            throw ProgramFailure(firstLine(exc), exc.errorCode !in PHONES_OWN, exc)
        } catch (exc: UnsatisfiedLinkError) {
            throw ProgramFailure("its native library is not in this app for this processor", false, exc)
        } catch (exc: RuntimeException) {
            throw ProgramFailure(firstLine(exc), true, exc)
        }

    private fun firstLine(exc: Throwable): String = (exc.message ?: exc.javaClass.simpleName).lineSequence().first()
}
