"""Latency against one dial, a line for each setting of the other: what a turn of α or ρ costs."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import altair as alt

from mobisdk.latency.analysis import GroupReport
from mobisdk.report.charts.figures import HAS_INTERVAL, has_interval, ms_fields, short
from mobisdk.report.charts.scale import MsScale, spread
from mobisdk.report.charts.theme import NUMBER, compose, draw_limit, inline, order_colours
from mobisdk.report.labels import Row, alpha_label, network_labels

Dial = Literal["alpha", "resolution"]
_TITLES: Final[dict[Dial, str]] = {
    "alpha": "width multiplier α",
    "resolution": "input resolution ρ (pixels)",
}
_SERIES: Final[dict[Dial, Callable[[GroupReport], str]]] = {
    "alpha": lambda group: f"{group.bundle.resolution} px",
    "resolution": lambda group: alpha_label(group.bundle.alpha or 0),
}
_HEIGHT, _TITLE_HEIGHT, _LABEL_GAP, _LABEL_WIDTH = 220, 24, 15, 54
_MOST_LABELS = _HEIGHT // _LABEL_GAP
_MOST_TICKS = 8


def sweep_points(rows: Sequence[Row], dial: Dial) -> list[dict[str, Any]]:
    """Say what `dial` costs: one point a network, in the order of its lines.

    Of several variants with the same dials the line joins the fastest, so only that one is `joined`.
    """
    other: Dial = "resolution" if dial == "alpha" else "alpha"
    points: list[dict[str, Any]] = []
    joined: set[tuple[float, float]] = set()
    measured = [
        (name, group, warm, warm.p50)
        for name, (group, warm) in zip(network_labels(rows), rows, strict=True)
        if warm and warm.p50 and group.bundle.alpha is not None and group.bundle.resolution is not None
    ]
    for name, group, warm, p50 in sorted(measured, key=lambda row: row[3].value_ns):
        x, line = getattr(group.bundle, dial), getattr(group.bundle, other)
        points.append(
            {
                "x": short(x),
                "line": line,
                "series": _SERIES[dial](group),
                "joined": (x, line) not in joined,
                "network": name,
                "runs": warm.runs,
                **ms_fields(p50),
            }
        )
        joined.add((x, line))
    return sorted(points, key=lambda point: (point["line"], point["x"]))


def is_sweep(points: Sequence[dict[str, Any]]) -> bool:
    """Tell whether there is a line to draw: two settings of the dial, all else equal."""
    settings = defaultdict(set)
    for point in points:
        settings[point["line"]].add(point["x"])
    return any(len(values) > 1 for values in settings.values())


def draw_sweep(
    points: Sequence[dict[str, Any]], dial: Dial, scale: MsScale, max_ms: float | None = None
) -> dict[str, Any]:
    """Draw `points` on a scale of milliseconds that several charts may share, and the budget `max_ms` across them."""
    series = list(dict.fromkeys(point["series"] for point in points))
    settings = sorted({point["x"] for point in points})
    x = alt.X(
        "x:Q",
        title=_TITLES[dial],
        scale=alt.Scale(zero=False, nice=False, padding=12),
        axis=alt.Axis(values=settings, format=NUMBER) if len(settings) <= _MOST_TICKS else alt.Axis(format=NUMBER),
    )
    y = alt.Y("ms:Q", scale=scale.to_altair(), axis=scale.to_axis("median latency (ms)"))
    colour = alt.Color("series:N", legend=None, scale=alt.Scale(domain=series, range=order_colours(len(series))))
    base = inline(points).encode(x=x, y=y, color=colour)
    lines = base.transform_filter("datum.joined").mark_line(strokeWidth=2.5)
    intervals = base.transform_filter(HAS_INTERVAL).mark_rule(strokeWidth=1.5).encode(y="low:Q", y2="high:Q")
    tooltip = [alt.Tooltip("network:N"), alt.Tooltip("text:N", title="median"), alt.Tooltip("runs:Q")]
    marks = base.mark_point(filled=True, size=64, opacity=1).encode(tooltip=tooltip)
    return compose(
        *([] if max_ms is None else draw_limit(y, "ms", max_ms, f"{max_ms:g} ms")),
        lines,
        *([intervals] if has_interval(points) else []),
        marks,
        _draw_labels(points, scale, x, colour),
        height=_HEIGHT,
        top=_TITLE_HEIGHT,
        right=_LABEL_WIDTH,
        description=f"Median latency in milliseconds against the {_TITLES[dial]}.",
    )


def _draw_labels(points: Sequence[dict[str, Any]], scale: MsScale, x: alt.X, colour: alt.Color) -> alt.Chart:
    """Name each line at its right end; names that would cover each other are moved apart."""
    ends = list({point["series"]: point for point in points if point["joined"]}.values())
    ends = ends[:: math.ceil(len(ends) / _MOST_LABELS)]
    places = spread([scale.position(point["ms"]) for point in ends], _LABEL_GAP / _HEIGHT)
    labels = [
        {"x": point["x"], "ms": short(scale.value(place)), "series": point["series"]}
        for point, place in zip(ends, places, strict=True)
    ]
    named: alt.Chart = (
        inline(labels)
        .mark_text(align="left", baseline="middle", dx=10, fontWeight=600)
        .encode(x=x, y="ms:Q", text="series:N", color=colour)
    )
    return named
