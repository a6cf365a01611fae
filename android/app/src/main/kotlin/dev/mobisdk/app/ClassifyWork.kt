package dev.mobisdk.app

import dev.mobisdk.app.core.Classify
import dev.mobisdk.app.core.LabelShare
import dev.mobisdk.app.core.UiEvent
import dev.mobisdk.executorch.ExecuTorchClassifier
import dev.mobisdk.executorch.decodePhoto
import dev.mobisdk.runtime.MobiError
import dev.mobisdk.runtime.ModelBundle
import java.io.FileNotFoundException
import java.io.InputStream

/** One photo through one bundle. */
class ClassifyWork(
    private val work: AppWork,
) {
    fun classify(
        name: String,
        open: () -> InputStream?,
    ) {
        work.dispatch(UiEvent.Classified(Classify.Working))
        work.onDisk {
            val outcome =
                try {
                    classify(work.open(name)) { open() ?: throw FileNotFoundException("the photo is gone") }
                } catch (error: MobiError) {
                    Classify.Failed(error.message.orEmpty())
                } catch (exc: SecurityException) {
                    Classify.Failed(exc.message.orEmpty()) // the app that lent the photo took it back
                }
            work.dispatch(UiEvent.Classified(outcome))
        }
    }

    private fun classify(
        bundle: ModelBundle,
        open: () -> InputStream,
    ): Classify {
        val image = decodePhoto(open)
        return ExecuTorchClassifier(bundle).use { classifier ->
            classifier.classify(image) // warms up; the second is told
            val (predictions, times) = classifier.classify(image)
            Classify.Done(bundle.name, predictions.map { LabelShare(it.label, it.probability) }, times.preprocessNs, times.inferenceNs)
        }
    }
}
