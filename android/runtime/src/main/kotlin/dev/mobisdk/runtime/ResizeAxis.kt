package dev.mobisdk.runtime

/**
 * One side of the resize: which stored pixels each output takes, and with which weights (contract 3, steps 3 to 5).
 *
 * Output i of the upright image takes input j with the weight max(0, 2·max(n, m) - |(2j + 1)·m - (2i + 1)·n|) where the
 * side of n pixels becomes m. On a mirrored axis the stored input is n - 1 - j.
 */
internal class ResizeAxis(
    private val side: Int,
    shorter: Int,
    resize: Int,
    crop: Int,
    mirrored: Boolean,
) {
    /** The first stored input of each output. */
    val starts = IntArray(crop)

    /** The weights of each output, from its first stored input on. */
    val weights: Array<IntArray>

    /** The sum of each output's weights. */
    val totals: LongArray

    /** The stored inputs that the crop depends on. */
    val first: Int
    val end: Int

    init {
        val resized = ((2L * side * resize + shorter) / (2L * shorter)).toInt()
        val reach = 2L * maxOf(side, resized)
        val offset = Math.floorDiv(resized - crop, 2)
        weights =
            Array(crop) { place ->
                val centre = (2L * (place + offset) + 1) * side
                val start = maxOf(Math.floorDiv(centre - reach - resized, 2L * resized) + 1, 0L).toInt()
                val stop = minOf(-Math.floorDiv(resized - centre - reach, 2L * resized), side.toLong()).toInt()
                val row = IntArray(stop - start) { (reach - Math.abs((2L * (start + it) + 1) * resized - centre)).toInt() }
                if (mirrored) row.reverse()
                starts[place] = if (mirrored) side - stop else start
                row
            }
        totals = LongArray(crop) { place -> weights[place].fold(0L) { sum, weight -> sum + weight } }
        first = starts.min()
        end = starts.indices.maxOf { starts[it] + weights[it].size }
    }
}
