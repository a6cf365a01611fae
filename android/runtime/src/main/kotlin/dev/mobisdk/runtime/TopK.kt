package dev.mobisdk.runtime

/**
 * A class and how likely it is.
 *
 * @property index the class, from 0.
 * @property probability its softmax probability.
 */
public data class Prediction(
    val index: Int,
    val probability: Double,
)

/** The [count] likeliest classes, best first, by softmax; of equal logits the smaller class comes first. */
public fun topK(
    logits: FloatArray,
    count: Int = 5,
): List<Prediction> {
    val best = TopK(minOf(count, logits.size))
    best.select(logits)
    return best.classes.zip(best.probabilities.toList(), ::Prediction)
}

/** [topK] into arrays that are kept, so that a sample allocates nothing. */
internal class TopK(
    private val count: Int,
) {
    val classes = IntArray(count)
    val probabilities = DoubleArray(count)

    fun select(logits: FloatArray) {
        var largest = Float.NEGATIVE_INFINITY
        for (logit in logits) if (logit > largest) largest = logit
        var total = 0.0
        var found = 0
        for (index in logits.indices) {
            val share = Math.exp((logits[index] - largest).toDouble())
            total += share
            var place = found
            while (place > 0 && probabilities[place - 1] < share) place--
            if (place == count) continue
            if (found < count) found++
            for (moved in found - 1 downTo place + 1) {
                classes[moved] = classes[moved - 1]
                probabilities[moved] = probabilities[moved - 1]
            }
            classes[place] = index
            probabilities[place] = share
        }
        for (place in 0 until found) probabilities[place] /= total
    }
}
