package dev.mobisdk.runtime

/** The thermal state where it changed, in arrays that are there before the first sample. */
internal class ThermalTrace {
    private val atNs = LongArray(MOST_CHANGES)
    private val states = arrayOfNulls<ThermalState>(MOST_CHANGES)
    private var count = 0

    /** A state that flutters more often than there is room for is kept as it was first. */
    fun note(
        state: ThermalState?,
        elapsedNs: Long,
    ) {
        if (state == null || count == MOST_CHANGES || (count > 0 && states[count - 1] == state)) return
        atNs[count] = elapsedNs
        states[count] = state
        count++
    }

    fun toList(): List<ThermalSample> = List(count) { ThermalSample(atNs[it], states[it]!!) }

    private companion object {
        const val MOST_CHANGES = 1000
    }
}
