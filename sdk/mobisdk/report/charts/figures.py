"""Figures of an analysis as chart data: milliseconds with five digits, and the very texts that the tables show."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mobisdk.latency.stats import Quantile
from mobisdk.report.numbers import format_interval_ms

_NS_PER_MS: Final = 1e6

HAS_INTERVAL: Final = "isValid(datum.low)"
"""Vega's filter for points whose quantile has an interval; where none has, Vega would warn of an empty layer."""


def in_ms(nanoseconds: float) -> float:
    """Milliseconds with five digits, more than a chart can show."""
    return short(nanoseconds / _NS_PER_MS)


def short(value: float) -> float:
    """Five digits of `value`, so that a file of many stays small."""
    return float(f"{value:.5g}")


def ms_fields(quantile: Quantile) -> dict[str, Any]:
    """`ms`, its interval's `low` and `high` (left out where there is none), and `text` for a tooltip."""
    fields: dict[str, Any] = {"ms": in_ms(quantile.value_ns), "text": f"{format_interval_ms(quantile)} ms"}
    if quantile.low_ns is not None and quantile.high_ns is not None:
        fields |= {"low": in_ms(quantile.low_ns), "high": in_ms(quantile.high_ns)}
    return fields


def has_interval(points: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether `HAS_INTERVAL` lets any of `points` through."""
    return any("low" in point for point in points)


def extent(points: Iterable[Mapping[str, Any]]) -> list[float]:
    """Every millisecond of `points` that an axis must hold."""
    return [point[name] for point in points for name in ("ms", "low", "high") if name in point]
