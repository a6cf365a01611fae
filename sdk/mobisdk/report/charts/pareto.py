"""Accuracy against what it costs, latency or size: which networks are worth having, for none is better in both."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import altair as alt

from mobisdk.report.accuracy import Accuracy, format_accuracy
from mobisdk.report.charts.figures import HAS_INTERVAL, extent, has_interval, ms_fields, short
from mobisdk.report.charts.scale import fit_ms_scale
from mobisdk.report.charts.theme import NO_LIMITS, SERIES, SHAPES, Limits, compose, cycle, draw_limit, inline
from mobisdk.report.labels import Row, dials_labels, network_labels
from mobisdk.report.printable import printable

_HEIGHT, _TITLE_HEIGHT, _LABEL_WIDTH, _LABEL_ANGLE = 300, 24, 72, 30
"""Names stand up and to the left of the front, where no network can be, and slope, so that they do not meet."""
_MOST_LABELS = 12
_LEGEND_OFFSET = 32
"""Above the title of the upright axis, which lies flat."""


_BYTES_PER_MB = 1e6
Cost = Literal["ms", "mb"]
_TITLES: Final[Mapping[Cost, str]] = {"ms": "median latency (ms)", "mb": "size of the model (MB)"}
_UNITS: Final[Mapping[Cost, str]] = {"ms": "ms", "mb": "MB"}


def pareto_points(rows: Sequence[Row], accuracies: Mapping[str, Accuracy], cost: Cost = "ms") -> list[dict[str, Any]]:
    """One point a network whose accuracy and cost are known, the cheapest first; `is_best` is the Pareto front."""
    points = []
    for label, network, (group, warm) in zip(dials_labels(rows), network_labels(rows), rows, strict=True):
        accuracy = accuracies.get(group.bundle.variant_id)
        if accuracy is None or warm is None or warm.p50 is None:
            continue
        if cost == "mb" and accuracy.model_bytes is None:
            continue
        size = {} if accuracy.model_bytes is None else {"mb": short(accuracy.model_bytes / _BYTES_PER_MB)}
        points.append(
            {
                "network": network,
                "label": label,
                "recipe": printable(group.bundle.recipe),
                "share": short(100 * accuracy.share),
                "share_low": short(100 * accuracy.low),
                "share_high": short(100 * accuracy.high),
                "share_text": f"{format_accuracy(accuracy)} %",
                **ms_fields(warm.p50),
                **size,
            }
        )
    points.sort(key=lambda point: (point[cost], -point["share"]))
    best = float("-inf")
    for point in points:
        point["is_best"] = point["share"] > best
        best = max(best, point["share"])
    front = [point for point in points if point["is_best"]]
    for place, point in enumerate(front):
        point["is_named"] = place % math.ceil(len(front) / _MOST_LABELS) == 0
    return points


def fits(point: Mapping[str, Any], limits: Limits) -> bool:
    """Tell whether a point keeps the budget, by its estimates; a size that nobody knows keeps none."""
    return (
        (limits.max_latency_ms is None or point["ms"] <= limits.max_latency_ms)
        and (limits.min_accuracy is None or point["share"] >= 100 * limits.min_accuracy)
        and (limits.max_size_mb is None or point.get("mb", math.inf) <= limits.max_size_mb)
    )


def draw_pareto(points: Sequence[dict[str, Any]], limits: Limits = NO_LIMITS, cost: Cost = "ms") -> dict[str, Any]:
    """Draw `points` with their intervals, the front as a step line with the names of those on it, and the budget."""
    most, least = limits.max_latency_ms if cost == "ms" else limits.max_size_mb, limits.min_accuracy
    costs = extent(points) if cost == "ms" else [point["mb"] for point in points]
    scale = fit_ms_scale([*costs, *([] if most is None else [most])])
    shares = [point[name] for point in points for name in ("share_low", "share_high")]
    shares += [] if least is None else [100 * least]
    lowest, highest = min(shares), max(shares)
    margin = max((highest - lowest) * 0.08, 0.5)
    bottom, top = short(max(lowest - margin, 0)), short(min(highest + 2 * margin, 100 + margin))
    recipes = list(dict.fromkeys(point["recipe"] for point in points))
    to_the_right = scale.to_altair()
    to_the_right.range = [_LABEL_WIDTH, {"expr": "width"}]
    x = alt.X(f"{cost}:Q", scale=to_the_right, axis=scale.to_axis(_TITLES[cost]))
    y = alt.Y(
        "share:Q",
        scale=alt.Scale(domain=[bottom, top], nice=False),
        axis=alt.Axis(title="accuracy (%)", tickCount=6),
    )
    legend = alt.Legend(offset=_LEGEND_OFFSET, symbolOpacity=1) if len(recipes) > 1 else None
    colour = alt.Color("recipe:N", legend=legend, scale=alt.Scale(domain=recipes, range=cycle(SERIES, len(recipes))))
    shape = alt.Shape("recipe:N", legend=legend, scale=alt.Scale(domain=recipes, range=cycle(SHAPES, len(recipes))))
    base = inline(points).encode(x=x, y=y)
    tooltip = [
        alt.Tooltip("network:N"),
        alt.Tooltip("recipe:N"),
        alt.Tooltip("text:N", title="median"),
        *([alt.Tooltip("mb:Q", title="MB")] if cost == "mb" else []),
        alt.Tooltip("share_text:N", title="accuracy"),
    ]
    opacity = alt.condition("datum.is_best", alt.value(1), alt.value(0.45))
    across = base.transform_filter(HAS_INTERVAL).mark_rule().encode(x="low:Q", x2="high:Q", opacity=opacity)
    up = base.mark_rule().encode(y="share_low:Q", y2="share_high:Q", opacity=opacity)
    marks = base.mark_point(filled=True, size=90).encode(color=colour, shape=shape, opacity=opacity, tooltip=tooltip)
    front = [point for point in points if point["is_best"]]
    steps = [{name: point[name] for name in (cost, "share")} for point in front]
    steps.append({cost: scale.high, "share": front[-1]["share"]})
    line = (
        inline(steps)
        .mark_line(interpolate="step-after", strokeWidth=2, strokeDash=[6, 3], color="var(--chart-front)")
        .encode(x=x, y=y)
    )
    budget = [
        *([] if most is None else draw_limit(x, cost, most, f"{most:g} {_UNITS[cost]}")),
        *([] if least is None else draw_limit(y, "share", 100 * least, f"{100 * least:g} %", at_right=True)),
    ]
    names = (
        base.transform_filter("datum.is_named")
        .mark_text(align="right", baseline="middle", dx=-9, dy=-4, angle=_LABEL_ANGLE, fontWeight=600)
        .encode(text="label:N")
    )
    return compose(
        *budget,
        line,
        *([across] if cost == "ms" and has_interval(points) else []),
        up,
        names,
        marks,
        height=_HEIGHT,
        top=_TITLE_HEIGHT,
        description=f"Accuracy in percent against {_TITLES[cost]}, with the Pareto front and the budget.",
    )
