"""How sure a measured accuracy is."""

import math

_Z = 1.959963984540054
"""Of the standard normal distribution: 95 % lie within it."""


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share that was counted: `correct` of `total` ≥ 1. It never leaves [0, 1].

    Source: E. B. Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    share, spread = correct / total, _Z**2 / total
    centre = share + spread / 2
    reach = _Z * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, (centre - reach) / (1 + spread)), min(1.0, (centre + reach) / (1 + spread))
