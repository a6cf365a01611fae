"""Nanoseconds as milliseconds with as many digits as their interval carries, and shares with their interval."""

import math

from mobisdk.accuracy import wilson_interval
from mobisdk.latency.stats import Quantile

_NS_PER_MS = 1e6
_NS_DIGITS = 6
"""Digits of a millisecond's nanoseconds."""
_FEWEST_DIGITS = 2
_MOST_DIGITS = 4
_DIGITS_WITHOUT_INTERVAL = 3


def format_ms(quantile: Quantile | None) -> str:
    """`1.23`: digits end where the interval's half-width begins, two to four in all; three without an interval."""
    return "" if quantile is None else f"{quantile.value_ns / _NS_PER_MS:.{_decimals(quantile)}f}"


def format_interval_ms(quantile: Quantile | None) -> str:
    """`1.23 [1.21, 1.26]`, or the value alone."""
    if quantile is None or quantile.low_ns is None or quantile.high_ns is None:
        return format_ms(quantile)
    low, high = (f"{bound / _NS_PER_MS:.{_decimals(quantile)}f}" for bound in (quantile.low_ns, quantile.high_ns))
    return f"{format_ms(quantile)} [{low}, {high}]"


def format_share(correct: int, tested: int) -> str:
    """`97.2 % [95.0, 98.5]`: a share of images with its 95 % interval."""
    low, high = wilson_interval(correct, tested)
    return f"{100 * correct / tested:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def format_ratio(ratio: float) -> str:
    """`6.1`, `23`: two digits."""
    return f"{ratio:.{max(0, 1 - _exponent(ratio))}f}"


def _decimals(quantile: Quantile) -> int:
    value = _exponent(quantile.value_ns)
    if quantile.low_ns is None or quantile.high_ns is None:
        last = value - _DIGITS_WITHOUT_INTERVAL + 1
    else:
        half_width_ns = (quantile.high_ns - quantile.low_ns) / 2
        last = _exponent(half_width_ns / 2)  # a leading 1 alone would be too coarse
        last = max(min(last, value - _FEWEST_DIGITS + 1), value - _MOST_DIGITS + 1)
    return min(max(_NS_DIGITS - last, 0), _NS_DIGITS)


def _exponent(value: float) -> int:
    """Power of ten of the first digit; of nothing, a thousandth's."""
    return math.floor(math.log10(max(value, 1e-3)))
