"""Which of several thread counts to take, from the medians that were measured with each."""

from collections.abc import Mapping
from typing import Final

_WORTH_IT: Final = 0.02
"""A further thread must save this share of the time: it costs a core, and power."""


def choose_threads(medians: Mapping[int, float]) -> int:
    """Take the fewest threads that are nearly the fastest; `medians` are by thread count, of which there is one."""
    least = min(medians.values())
    return next(count for count in sorted(medians) if medians[count] * (1 - _WORTH_IT) <= least)
