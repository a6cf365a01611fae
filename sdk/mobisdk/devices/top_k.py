"""Logits to the likeliest classes: the postprocessing that an app does for each image."""

import numpy as np
from numpy.typing import NDArray


def top_k(logits: NDArray[np.float32], count: int = 5) -> list[tuple[int, float]]:
    """Return the `count` likeliest classes, best first, each with its softmax probability.

    Of equal logits (num_classes,) the smaller class comes first.
    """
    shares = np.exp(logits - logits.max(), dtype=np.float64)
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")[:count]
    return list(zip(order.tolist(), shares[order].tolist(), strict=True))
