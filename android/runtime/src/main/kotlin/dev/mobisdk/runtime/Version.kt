package dev.mobisdk.runtime

/** A dotted version: "1.4.1", "26"; missing parts are zeros. */
internal class Version private constructor(
    private val parts: List<Int>,
) : Comparable<Version> {
    override fun compareTo(other: Version): Int {
        for (index in 0 until PARTS) {
            val order = parts[index].compareTo(other.parts[index])
            if (order != 0) return order
        }
        return 0
    }

    companion object {
        private const val PARTS = 4
        private val SPELLING = Regex("[0-9]{1,4}(\\.[0-9]{1,4}){0,3}")

        /** Null for anything but one to four numbers of up to four digits. */
        fun parse(text: String): Version? {
            if (!SPELLING.matches(text)) return null
            val parts = text.split('.').map { it.toInt() }
            return Version(parts + List(PARTS - parts.size) { 0 })
        }
    }
}
