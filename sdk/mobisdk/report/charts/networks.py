"""Accuracy of networks of many architectures against what they cost, each with its name beside it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import altair as alt

from mobisdk.report.charts.figures import short
from mobisdk.report.charts.scale import MsScale, fit_ms_scale
from mobisdk.report.charts.theme import SERIES, compose, inline

Cost = Literal["latency", "macs", "size"]
TITLES: Final[Mapping[Cost, str]] = {
    "latency": "median latency (ms)",
    "macs": "million multiply-adds",
    "size": "size in float32 (MB)",
}
_WIDTH, _HEIGHT, _TITLE_HEIGHT = 560, 400, 24
"""The plot's, as names are placed; in a wider page they only stand farther apart."""
_LETTER, _LINE = 6.4, 13
_ABOVE: Final = (("right", -7, -11), ("left", 7, -11))
"""Where a name of the front may stand, clear of its line: how it is aligned, and how far from its point, in pixels."""
_AROUND: Final = (("left", 9, 0), ("right", -9, 0), ("left", 7, 11), ("right", -7, 11), *_ABOVE)


def network_points(networks: Sequence[tuple[str, float, float, float, float]]) -> list[dict[str, Any]]:
    """One point a network, out of its name, cost, accuracy and the accuracy's interval; the least costly first.

    `is_best` is the Pareto front: none is both less costly and as accurate.
    """
    points = []
    best = float("-inf")
    for name, cost, share, low, high in sorted(networks, key=lambda network: (network[1], -network[2])):
        points.append(
            {
                "network": name,
                "cost": short(cost),
                "share": short(100 * share),
                "low": short(100 * low),
                "high": short(100 * high),
                "is_best": share > best,
            }
        )
        best = max(best, share)
    return points


def draw_networks(points: Sequence[dict[str, Any]], cost: Cost) -> dict[str, Any]:
    """Draw `points` with their intervals, the front as a step line, and every name that finds room."""
    scale = fit_ms_scale(point["cost"] for point in points)
    lowest, highest = min(point["low"] for point in points), max(point["high"] for point in points)
    margin = max((highest - lowest) * 0.08, 0.5)
    domain = short(max(lowest - margin, 0)), short(min(highest + margin, 100 + margin))
    x = alt.X("cost:Q", scale=scale.to_altair(), axis=scale.to_axis(TITLES[cost]))
    y = alt.Y("share:Q", scale=alt.Scale(domain=domain, nice=False), axis=alt.Axis(title="accuracy (%)", tickCount=6))
    base = inline(points).encode(x=x, y=y)
    opacity = alt.condition("datum.is_best", alt.value(1), alt.value(0.55))
    colour = alt.condition("datum.is_best", alt.value(SERIES[0]), alt.value(SERIES[1]))
    tooltip = [
        alt.Tooltip("network:N"),
        alt.Tooltip("cost:Q", title=TITLES[cost]),
        alt.Tooltip("share:Q", title="accuracy (%)"),
    ]
    bars = base.mark_rule().encode(y="low:Q", y2="high:Q", opacity=opacity)
    marks = base.mark_point(filled=True, size=80).encode(color=colour, opacity=opacity, tooltip=tooltip)
    front = [{name: point[name] for name in ("cost", "share")} for point in points if point["is_best"]]
    line = (
        inline([*front, {"cost": scale.high, "share": front[-1]["share"]}])
        .mark_line(interpolate="step-after", strokeWidth=2, strokeDash=[6, 3], color="var(--chart-front)")
        .encode(x=x, y=y)
    )
    names = [
        inline([point]).mark_text(align=align, baseline="middle", dx=dx, dy=dy).encode(x=x, y=y, text="network:N")
        for point, (align, dx, dy) in _place_names(points, scale, domain)
    ]
    return compose(
        line,
        bars,
        marks,
        *names,
        height=_HEIGHT,
        top=_TITLE_HEIGHT,
        description=f"Accuracy in percent against {TITLES[cost]}, with the Pareto front.",
    )


def _place_names(
    points: Sequence[dict[str, Any]], scale: MsScale, domain: tuple[float, float]
) -> list[tuple[dict[str, Any], tuple[Any, int, int]]]:
    """Give each name, those on the front first, the first place that is free; a name without one is left out."""
    at = {
        point["network"]: (
            scale.position(point["cost"]) * _WIDTH,
            (domain[1] - point["share"]) / (domain[1] - domain[0]) * _HEIGHT,
        )
        for point in points
    }
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in at.values()]
    front = sorted(at[point["network"]] for point in points if point["is_best"])
    steps = zip(front, [*(x for x, _ in front[1:]), float(_WIDTH)], strict=True)
    taken += [(x, y - 2, end, y + 2) for (x, y), end in steps]  # the front's level parts
    placed = []
    for point in sorted(points, key=lambda point: not point["is_best"]):
        x, y = at[point["network"]]
        length = _LETTER * len(point["network"])
        for align, dx, dy in _ABOVE if point["is_best"] else _AROUND:
            left = x + dx - (length if align == "right" else 0)
            box = (left, y + dy - _LINE / 2, left + length, y + dy + _LINE / 2)
            is_inside = box[0] >= 0 and box[2] <= _WIDTH and box[1] >= 0 and box[3] <= _HEIGHT
            if is_inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                placed.append((point, (align, dx, dy)))
                break
    return placed


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
