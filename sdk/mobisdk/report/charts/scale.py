"""Scales of milliseconds: from nothing where that shows enough, logarithmic where the small ones would vanish."""

import dataclasses
import math
from collections.abc import Iterable, Sequence

import altair as alt

from mobisdk.report.charts.theme import NUMBER

_LARGEST_LINEAR_SPAN = 12
"""Where the largest is so many times the smallest, the smallest would lie on the axis."""
_ROUND = (1.0, 2.0, 5.0)
_FINELY_ROUND = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_MOST_DECADES_WITH_STEPS = 3
_LINEAR_TICKS = 5


@dataclasses.dataclass(frozen=True)
class MsScale:
    """An axis of milliseconds from `low` to `high`."""

    low: float
    high: float
    is_log: bool

    def position(self, value: float) -> float:
        """Where `value` lies: 0 at the low end, 1 at the high one."""
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return value / self.high

    def value(self, position: float) -> float:
        """What lies at `position`."""
        return self.low * (self.high / self.low) ** position if self.is_log else position * self.high

    def to_altair(self) -> alt.Scale:
        """The scale for an encoding."""
        return alt.Scale(type="log" if self.is_log else "linear", domain=[self.low, self.high], nice=False)

    def to_axis(self, title: str) -> alt.Axis:
        """The axis for an encoding, with round ticks."""
        if not self.is_log:
            return alt.Axis(title=title, tickCount=_LINEAR_TICKS, format=NUMBER)
        decades = math.log10(self.high / self.low)
        steps = _ROUND if decades <= _MOST_DECADES_WITH_STEPS else _ROUND[:1]
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        ticks = [float(f"{step}e{power}") for power in range(first, last + 1) for step in steps]
        shown = [tick for tick in ticks if self.low <= tick <= self.high]
        return alt.Axis(title=title, values=shown, format=NUMBER, labelOverlap="greedy")


def fit_ms_scale(values: Iterable[float]) -> MsScale:
    """Fit an axis to `values`, of which there is at least one."""
    found = list(values)
    smallest, largest = min(found), max(found)
    if smallest > 0 and largest / smallest > _LARGEST_LINEAR_SPAN:
        return MsScale(_round_down(smallest), _round_up(largest, _ROUND), is_log=True)
    return MsScale(0.0, _round_up(largest, _FINELY_ROUND) if largest else 1.0, is_log=False)


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Move `positions` in [0, 1] until they lie `gap` apart, in their order: up, or down where no room is left."""
    order = sorted(range(len(positions)), key=positions.__getitem__)
    moved = [0.0] * len(positions)
    floor = -math.inf
    for index in order:
        floor = moved[index] = max(positions[index], floor)
        floor += gap
    ceiling = 1.0
    for index in reversed(order):
        ceiling = moved[index] = min(moved[index], ceiling)
        ceiling -= gap
    return moved


def _round_up(value: float, steps: Sequence[float]) -> float:
    power = math.floor(math.log10(value))
    candidates = [float(f"{step}e{power + shift}") for shift in (0, 1) for step in steps]
    return next(candidate for candidate in candidates if candidate >= value)


def _round_down(value: float) -> float:
    power = math.floor(math.log10(value))
    candidates = [float(f"{step}e{power + shift}") for shift in (0, -1) for step in reversed(_ROUND)]
    return next(candidate for candidate in candidates if candidate <= value)
