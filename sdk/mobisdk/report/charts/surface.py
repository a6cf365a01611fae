"""Latency over α × ρ as a surface: a cell a network, with its milliseconds written in it."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from mobisdk.report.charts.figures import short
from mobisdk.report.charts.theme import ORDERED, compose, inline
from mobisdk.report.labels import Row, network_labels
from mobisdk.report.numbers import format_interval_ms

_CELL_HEIGHT, _TITLE_HEIGHT = 34, 24
_MOST_CELLS_ACROSS = 12


def surface_points(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A cell a network with both dials; of several with the same dials, the fastest."""
    fastest: dict[tuple[float, int], dict[str, Any]] = {}
    for name, (group, warm) in zip(network_labels(rows), rows, strict=True):
        bundle = group.bundle
        if warm is None or warm.p50 is None or bundle.alpha is None or bundle.resolution is None:
            continue
        point = surface_point(
            bundle.alpha, bundle.resolution, warm.p50.value_ns / 1e6, f"{format_interval_ms(warm.p50)} ms", name
        )
        kept = fastest.setdefault((bundle.alpha, bundle.resolution), point)
        if point["ms"] < kept["ms"]:
            fastest[bundle.alpha, bundle.resolution] = point
    return sorted(fastest.values(), key=lambda point: (-point["resolution"], point["alpha"]))


def surface_point(alpha: float, resolution: int, ms: float, text: str, network: str) -> dict[str, Any]:
    """One cell; `text` is what a pointer resting on it is told."""
    return {
        "alpha": short(alpha), "resolution": resolution, "ms": short(ms), "label": f"{ms:.3g}", "text": text,
        "network": network,
    }  # fmt: skip


def is_surface(points: Sequence[dict[str, Any]]) -> bool:
    """Tell whether both dials were turned, and not too often for a picture."""
    across = {point["alpha"] for point in points}
    return 1 < len(across) <= _MOST_CELLS_ACROSS and len({point["resolution"] for point in points}) > 1


def draw_surface(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Draw `points`: stronger is slower, on a logarithmic scale; the number says it without colour."""
    lowest, highest = (bound(point["ms"] for point in points) for bound in (min, max))
    span = max(highest / lowest, 1.01)
    colour = alt.Color("place:Q", legend=None, scale=alt.Scale(type="quantize", domain=[0, 1], range=list(ORDERED)))
    base = (
        inline(points)
        .transform_calculate(place=f"log(datum.ms / {lowest}) / log({span})")
        .encode(
            x=alt.X("alpha:O", title="width multiplier α", axis=alt.Axis(labelAngle=0, domain=False, ticks=False)),
            y=alt.Y("resolution:O", title="input resolution ρ (pixels)", sort="descending"),
            tooltip=[
                alt.Tooltip("network:N"),
                alt.Tooltip("text:N", title="median"),
            ],
        )
    )
    cells = base.mark_rect(stroke="var(--page)", strokeWidth=2).encode(color=colour)
    labels = base.mark_text(fontWeight=600).encode(text="label:N", color=alt.value("var(--page)"))
    return compose(
        cells,
        labels,
        height=_CELL_HEIGHT * len({point["resolution"] for point in points}),
        top=_TITLE_HEIGHT,
        description="Median latency in milliseconds over width and resolution.",
    )
