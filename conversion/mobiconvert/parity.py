"""The artefact's logits against the network's own."""

import dataclasses
import math
import sys

import numpy as np
from numpy.typing import NDArray

HIGHEST_SQNR_DB = 200.0
"""Equal outputs have no noise; JSON has no infinity."""
LOWEST_SQNR_DB = -200.0


@dataclasses.dataclass(frozen=True)
class Parity:
    """How well an artefact agrees with the network it was made from, over some images."""

    images: int
    top1_agreement: float
    max_abs_error: float
    relative_error: float
    """The largest absolute error over the largest absolute logit."""
    sqnr_db: float
    """Signal to quantization noise: 10 log10(Σ reference² / Σ error²)."""


def measure_parity(reference: NDArray[np.float64], actual: NDArray[np.float32]) -> Parity:
    """Compare logits, both (N, classes)."""
    error = actual.astype(np.float64) - reference
    signal, noise = float(np.sum(reference**2)), float(np.sum(error**2))
    largest = float(np.abs(error).max())
    return Parity(
        images=len(reference),
        top1_agreement=float(np.mean(reference.argmax(axis=1) == actual.argmax(axis=1))),
        max_abs_error=largest,
        relative_error=largest / max(float(np.abs(reference).max()), sys.float_info.min),
        sqnr_db=compute_sqnr_db(signal, noise),
    )


def compute_sqnr_db(signal: float, noise: float) -> float:
    """10 log10(signal / noise), of sums of squares, within the two bounds; what is no number is all noise."""
    if not math.isfinite(noise):
        return LOWEST_SQNR_DB
    sqnr = 10 * math.log10(signal / noise) if signal > 0 and noise > 0 else HIGHEST_SQNR_DB
    return min(max(sqnr, LOWEST_SQNR_DB), HIGHEST_SQNR_DB)
