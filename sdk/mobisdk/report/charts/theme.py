"""How every chart looks. Colours are names that the page's style sheet gives a value, one in light and one in dark."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import altair as alt

ORDERED: Final = tuple(f"var(--ordered-{step})" for step in range(1, 8))
"""Steps of viridis, from faint to strong: for what has an order, as α and ρ have."""
SERIES: Final = tuple(f"var(--series-{number})" for number in range(1, 7))
"""Okabe and Ito's colours, which colour-blind people tell apart: for what has none."""
SHAPES: Final = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down")
"""A second sign beside each of `SERIES`."""
NUMBER: Final = ".6~g"
"""D3's format of an axis: six digits at most, and no more than it takes."""

_TEXT, _MUTED, _GRID, _BASE = "var(--text)", "var(--muted)", "var(--chart-grid)", "var(--chart-base)"
_LABELS = {"labelColor": _MUTED, "labelFontSize": 12, "titleColor": _MUTED, "titleFontSize": 12}
_AXIS = _LABELS | {
    "titleFontWeight": "normal", "gridColor": _GRID, "domainColor": _BASE, "tickColor": _BASE, "labelPadding": 6,
}  # fmt: skip
CONFIG: Final[dict[str, Any]] = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": _AXIS,
    "axisX": {"grid": False, "titlePadding": 10},
    # The title lies flat above the axis: it is read without turning the head, and leaves a narrow screen its width.
    "axisY": {
        "domain": False, "ticks": False, "titleAngle": 0, "titleAlign": "left", "titleAnchor": "start", "titleX": 0,
        "titleY": -10, "titleBaseline": "bottom",
    },
    "legend": _LABELS | {"orient": "top", "title": None, "symbolSize": 80, "columnPadding": 16, "offset": 8},
    "text": {"color": _TEXT, "fontSize": 12},
    "rule": {"color": _BASE},
    "bar": {"color": SERIES[0]},
    "point": {"color": SERIES[0]},
    "tick": {"color": _TEXT},
}  # fmt: skip
"""Vega-Lite's config for every chart."""


def order_colours(count: int) -> list[str]:
    """Pick `count` of the ordered colours, as far apart as they go; the last is the strongest."""
    last = len(ORDERED) - 1
    return [ORDERED[last - round((count - 1 - rank) * last / max(count - 1, 1))] for rank in range(count)]


def cycle(signs: Sequence[str], count: int) -> list[str]:
    """Repeat `signs` until there are `count`."""
    return [signs[index % len(signs)] for index in range(count)]


def inline(values: Iterable[Mapping[str, Any]]) -> alt.Chart:
    """A chart over `values`, which the spec then holds."""
    return alt.Chart(alt.InlineData(values=[dict(value) for value in values]))


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a network may cost and must reach, as lines in the charts; null where there is no such limit."""

    max_latency_ms: float | None = None
    min_accuracy: float | None = None
    """A share, 0 to 1."""
    max_size_mb: float | None = None
    """Megabytes of 10⁶ bytes."""


NO_LIMITS: Final = Limits()


def draw_limit(axis: alt.X | alt.Y, field: str, value: float, text: str, *, at_right: bool = False) -> list[alt.Chart]:
    """A dotted line across the plot at `value` of an axis over `field`, named at its end, and not by colour alone."""
    base = inline([{field: value, "limit": text}])
    line = base.mark_rule(strokeWidth=2, strokeDash=[2, 3], color="var(--series-2)")
    if isinstance(axis, alt.X):
        name = base.mark_text(align="left", baseline="top", dx=5, y=0)
        return [line.encode(x=axis), name.encode(x=axis, text="limit:N")]
    name = (
        base.mark_text(align="right", baseline="bottom", dx=-4, dy=-3, x={"expr": "width"})
        if at_right
        else base.mark_text(align="left", baseline="bottom", dx=4, dy=-3, x=0)
    )
    return [line.encode(y=axis), name.encode(y=axis, text="limit:N")]


def compose(*layers: alt.Chart, height: int, description: str, top: int = 4, right: int = 12) -> dict[str, Any]:
    """Lay charts over each other, as wide as the page lets them be; `height` is the plot's, in pixels."""
    chart = alt.LayerChart(
        layer=list(layers),
        width="container",
        height=height,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        padding={"left": 4, "right": right, "top": top, "bottom": 4},
        description=description,
    )
    return chart.to_dict()
