"""Accuracy against latency with the budget's lines: what fits lies up and to the left of them."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from mobisdk.latency.choose import Budget, Candidate, Choice
from mobisdk.report.charts.figures import HAS_INTERVAL, extent, has_interval, short
from mobisdk.report.charts.scale import fit_ms_scale
from mobisdk.report.charts.theme import SERIES, SHAPES, compose, inline
from mobisdk.report.printable import printable

_HEIGHT, _TITLE_HEIGHT, _LEGEND_OFFSET = 300, 24, 32
_KINDS = ("measured", "predicted")


def budget_points(choice: Choice, candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    """One point a candidate; the front and the chosen one are marked."""
    front = {id(each) for each in choice.front}
    best = choice.winner or choice.nearest
    points = []
    for each in candidates:
        point = {
            "network": f"{each.spec.name} {printable(each.recipe)}",
            "ms": short(each.worst.ms),
            "share": short(100 * each.accuracy.share),
            "source": each.worst.source,
            "is_best": id(each) in front,
            "chosen": each is best,
        }
        if each.worst.low_ms is not None and each.worst.high_ms is not None:
            point |= {"low": short(each.worst.low_ms), "high": short(each.worst.high_ms)}
        points.append(point)
    return points


def draw_budget(points: Sequence[dict[str, Any]], budget: Budget) -> dict[str, Any]:
    """Draw `points`, the front as a step line, the budget as dashed lines, and the name of the chosen one."""
    scale = fit_ms_scale(
        [*extent([p for p in points if p["is_best"]]), *(p["ms"] for p in points), budget.max_latency_ms]
    )
    shares = [point["share"] for point in points]
    if budget.min_accuracy is not None:
        shares.append(100 * budget.min_accuracy)
    margin = max((max(shares) - min(shares)) * 0.08, 0.5)
    x = alt.X("ms:Q", scale=scale.to_altair(), axis=scale.to_axis("latency on the slowest device (ms)"))
    y = alt.Y(
        "share:Q",
        scale=alt.Scale(domain=[short(min(shares) - margin), short(max(shares) + 2 * margin)], nice=False),
        axis=alt.Axis(title="accuracy (%)", tickCount=6),
    )
    colour = alt.Color(
        "source:N",
        scale=alt.Scale(domain=list(_KINDS), range=list(SERIES[:2])),
        legend=alt.Legend(offset=_LEGEND_OFFSET),
    )
    shape = alt.Shape("source:N", scale=alt.Scale(domain=list(_KINDS), range=list(SHAPES[:2])))
    opacity = alt.condition("datum.is_best", alt.value(1), alt.value(0.35))
    base = inline(points).encode(x=x, y=y)
    front = sorted((p for p in points if p["is_best"]), key=lambda point: float(point["ms"]))
    line = (
        inline([{"ms": p["ms"], "share": p["share"]} for p in front])
        .mark_line(interpolate="step-after", strokeWidth=2, strokeDash=[6, 3], color="var(--chart-front)")
        .encode(x=x, y=y)
    )
    limits = [
        inline([{"ms": budget.max_latency_ms}])
        .mark_rule(strokeWidth=2, strokeDash=[2, 3], color="var(--series-2)")
        .encode(x=x)
    ]
    if budget.min_accuracy is not None:
        limits.append(
            inline([{"share": 100 * budget.min_accuracy}])
            .mark_rule(strokeWidth=2, strokeDash=[2, 3], color="var(--series-2)")
            .encode(y=y)
        )
    bars = base.transform_filter(f"datum.is_best && {HAS_INTERVAL}").mark_rule().encode(x="low:Q", x2="high:Q")
    marks = base.mark_point(filled=True, size=70).encode(
        color=colour,
        shape=shape,
        opacity=opacity,
        tooltip=[alt.Tooltip("network:N"), alt.Tooltip("ms:Q"), alt.Tooltip("share:Q", title="accuracy (%)")],
    )
    name = (
        base.transform_filter("datum.chosen")
        .mark_text(align="left", dx=8, dy=14, fontWeight=600)
        .encode(text="network:N")
    )
    return compose(
        line, *limits, *([bars] if has_interval(front) else []), marks, name,
        height=_HEIGHT, top=_TITLE_HEIGHT, right=24,
        description="Accuracy in percent against latency in milliseconds, with the budget and the Pareto front.",
    )  # fmt: skip
