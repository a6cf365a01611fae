"""A row of numbers as a word of a terminal."""

import math
from collections.abc import Sequence

_LEVELS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float]) -> str:
    """`▁▂▅█`: eight levels from the least to the most; nothing for fewer than two values, flat where they agree."""
    if len(values) < 2:
        return ""
    least, most = min(values), max(values)
    span = most - least
    if not span or not math.isfinite(span):
        return _LEVELS[0] * len(values)
    return "".join(_LEVELS[min(int(len(_LEVELS) * (value - least) / span), len(_LEVELS) - 1)] for value in values)
