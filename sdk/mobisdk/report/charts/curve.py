"""How a training went, epoch by epoch: a line a training."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt

from mobisdk.report.charts.figures import short
from mobisdk.report.charts.theme import NUMBER, SERIES, compose, cycle, inline

_HEIGHT, _TITLE_HEIGHT, _LEGEND_OFFSET = 200, 24, 32
_MOST_POINTS: Final = 200
"""Of a line: more are no sharper on any screen."""


def curve_points(name: str, metrics: Sequence[Mapping[str, Any]], field: str) -> list[dict[str, Any]]:
    """One point an epoch, of a training with the lines `metrics`; of very many epochs evenly spread ones."""
    step = -(-len(metrics) // _MOST_POINTS)
    kept = [line for place, line in enumerate(metrics) if place % step == 0 or place == len(metrics) - 1]
    return [{"epoch": line["epoch"], "value": short(line[field]), "run": name} for line in kept]


def draw_curves(points: Sequence[dict[str, Any]], title: str, *, number_format: str = NUMBER) -> dict[str, Any]:
    """Draw `points` of one or more trainings over the epochs."""
    runs = list(dict.fromkeys(point["run"] for point in points))
    colour = alt.Color(
        "run:N",
        scale=alt.Scale(domain=runs, range=cycle(SERIES, len(runs))),
        legend=alt.Legend(offset=_LEGEND_OFFSET, labelLimit=220, columns=1) if len(runs) > 1 else None,
    )
    base = inline(points).encode(
        x=alt.X(
            "epoch:Q", title="epoch", scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(tickMinStep=1, format="d")
        ),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(format=number_format, tickCount=5)),
        color=colour,
    )
    marks = base.mark_point(filled=True, size=28, opacity=1).encode(
        tooltip=[
            alt.Tooltip("run:N"),
            alt.Tooltip("epoch:Q"),
            alt.Tooltip("value:Q", title=title, format=number_format),
        ]
    )
    return compose(
        base.mark_line(strokeWidth=2),
        marks,
        height=_HEIGHT,
        top=_TITLE_HEIGHT,
        description=f"{title} over the epochs.",
    )
