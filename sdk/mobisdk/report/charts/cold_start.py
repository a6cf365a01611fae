"""The first image against those after it: load, first inference and warm median of each bundle."""

from collections.abc import Sequence
from typing import Any, Final

import altair as alt

from mobisdk.report.charts.figures import HAS_INTERVAL, extent, has_interval, ms_fields
from mobisdk.report.charts.scale import fit_ms_scale
from mobisdk.report.charts.theme import SERIES, SHAPES, compose, inline
from mobisdk.report.labels import Row, dials_labels, network_labels

_STAGES: Final = ("warm", "first inference", "load")
_ROW_HEIGHT = 28


def cold_start_points(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Three points a bundle that was started cold, of its coldest cache; the warm one where there is one."""
    points = []
    for row, network, (group, warm) in zip(dials_labels(rows), network_labels(rows), rows, strict=True):
        if not group.cold:
            continue
        cold = group.cold[0]
        for stage, quantile in zip(_STAGES, (warm.p50 if warm else None, cold.first_inference, cold.load), strict=True):
            if quantile is not None:
                points.append({"row": row, "network": network, "stage": stage, **ms_fields(quantile)})
    return points


def draw_cold_start(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Draw a row a bundle, with its stages joined."""
    scale = fit_ms_scale(extent(points))
    axis = scale.to_axis("milliseconds" + ", on a logarithmic scale" * scale.is_log)
    axis.grid = True
    x = alt.X("ms:Q", scale=scale.to_altair(), axis=axis)
    colour = alt.Color(
        "stage:N",
        scale=alt.Scale(domain=list(_STAGES), range=list(SERIES[: len(_STAGES)])),
        legend=alt.Legend(symbolOpacity=1),
    )
    shape = alt.Shape("stage:N", scale=alt.Scale(domain=list(_STAGES), range=list(SHAPES[: len(_STAGES)])))
    base = inline(points).encode(y=alt.Y("row:N", sort=None, title=None))
    joins = base.mark_rule(strokeWidth=1.5).encode(x=alt.X("min(ms):Q"), x2="max(ms):Q")
    intervals = (
        base.transform_filter(HAS_INTERVAL)
        .mark_rule(strokeWidth=5, opacity=0.35)
        .encode(x="low:Q", x2="high:Q", color=colour)
    )
    marks = base.mark_point(filled=True, size=80, opacity=1).encode(
        x=x,
        color=colour,
        shape=shape,
        tooltip=[alt.Tooltip("network:N"), alt.Tooltip("stage:N"), alt.Tooltip("text:N", title="median")],
    )
    return compose(
        joins,
        *([intervals] if has_interval(points) else []),
        marks,
        height=_ROW_HEIGHT * len({point["row"] for point in points}),
        description="Load, first inference and warm median of each network, in milliseconds.",
    )
