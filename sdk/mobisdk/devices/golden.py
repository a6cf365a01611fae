"""Does the artefact give here the logits that its manifest promises?"""

import numpy as np
from numpy.typing import NDArray

from mobisdk.bundle import Bundle
from mobisdk.errors import ParityError
from mobisdk.latency.record import GoldenCheck


def check_golden(bundle: Bundle, logits: NDArray[np.float32]) -> GoldenCheck:
    """Compare `logits` of the golden image with the bundle's; a swap of near-equal classes does not fail it.

    Raises:
        ParityError: there are more or fewer logits than classes.
    """
    expected = bundle.golden_output()
    if logits.shape != expected.shape:
        raise ParityError(
            f"{bundle.name} gives logits of another shape here", got=logits.shape, allowed=str(expected.shape)
        )
    error = float(np.abs(logits.astype(np.float64) - expected).max())
    return GoldenCheck(
        passed=error <= bundle.manifest["golden"]["tolerance"],
        max_abs_error=error if np.isfinite(error) else None,
        top1_matches=int(logits.argmax()) == int(expected.argmax()),
    )


def require_golden(bundle: Bundle, logits: NDArray[np.float32]) -> GoldenCheck:
    """Like `check_golden`, for whoever is about to measure.

    Raises:
        ParityError: the check fails.
    """
    check = check_golden(bundle, logits)
    if not check.passed:
        same = "the same" if check.top1_matches else "another"
        raise ParityError(
            f"{bundle.name} is wrong about its golden image here, with {same} top-1 class: largest error of a logit",
            got="not a number" if check.max_abs_error is None else float(f"{check.max_abs_error:.3g}"),
            allowed=f"at most {bundle.manifest['golden']['tolerance']:g}",
            hint="Nothing was measured; export the bundle again with this version",
        )
    return check
