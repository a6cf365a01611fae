package dev.mobisdk.runtime

/**
 * Compares [logits] of the golden image with the bundle's; a swap of near-equal classes does not fail it.
 *
 * @throws ParityError there are more or fewer logits than classes.
 */
public fun checkGolden(
    bundle: ModelBundle,
    logits: FloatArray,
): GoldenCheck {
    val expected = bundle.readGoldenOutput()
    if (logits.size != expected.size) {
        throw ParityError("${bundle.name} gives another number of logits here", got = "${logits.size}", allowed = "${expected.size}")
    }
    var error = 0.0
    for (index in logits.indices) {
        val difference = Math.abs(logits[index].toDouble() - expected[index])
        if (difference.isNaN() || difference > error) error = difference
        if (error.isNaN()) break
    }
    return GoldenCheck(
        passed = error <= bundle.manifest.golden.tolerance,
        maxAbsError = error.takeIf { it.isFinite() },
        top1Matches = likeliest(logits) == likeliest(expected),
    )
}

/**
 * Like [checkGolden], for whoever is about to measure.
 *
 * @throws ParityError the check fails.
 */
public fun requireGolden(
    bundle: ModelBundle,
    logits: FloatArray,
): GoldenCheck {
    val check = checkGolden(bundle, logits)
    if (!check.passed) {
        val same = if (check.top1Matches) "the same" else "another"
        throw ParityError(
            "${bundle.name} is wrong about its golden image here, with $same top-1 class: largest error of a logit",
            got = check.maxAbsError?.let { "%.3g".format(java.util.Locale.ROOT, it) } ?: "not a number",
            allowed = "at most ${bundle.manifest.golden.tolerance}",
            hint = "Nothing was measured; export the bundle again with the version of the runtime that this app has",
        )
    }
    return check
}

private fun likeliest(logits: FloatArray): Int = logits.indices.maxByOrNull { logits[it] } ?: -1
