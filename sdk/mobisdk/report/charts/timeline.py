"""Sustained work over time: the level of each run, with the thermal states below it."""

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pyarrow as pa
import pyarrow.compute

from mobisdk.latency.store import read_values
from mobisdk.report.charts.figures import in_ms, short
from mobisdk.report.charts.scale import fit_ms_scale
from mobisdk.report.charts.theme import compose, inline, order_colours

pc: Any = pyarrow.compute
_STEPS: Final = 80
"""Medians along the time, however long a run is."""
_MOST_RUNS: Final = 6
_HEIGHT, _TITLE_HEIGHT = 200, 24
_STATES: Final = ("nominal", "fair", "serious", "critical")
_SECOND_NS: Final = 1e9
_FEWEST_SAMPLES: Final = 10


def timeline_points(runs: pa.Table) -> list[dict[str, Any]]:
    """Medians of up to six sustained runs over up to eighty steps of time, and the thermal state at each."""
    long_enough = pc.greater_equal(pc.list_value_length(runs["inference_ns"]), _FEWEST_SAMPLES)
    drawn = runs.filter(pc.and_(long_enough, pc.equal(runs["mode"], "sustained"))).slice(0, _MOST_RUNS)
    points = []
    for number, run in enumerate(read_values(drawn), start=1):
        edges = np.linspace(0, run.sample_at_ns[-1] + 1, _STEPS + 1)
        step_of = np.searchsorted(edges, run.sample_at_ns, side="right") - 1
        states = [(sample.at_ns, sample.state) for sample in run.thermal]
        for step in np.unique(step_of).tolist():
            at = float(edges[step])
            earlier = [state for when, state in states if when <= at]
            points.append(
                {
                    "s": short(at / _SECOND_NS),
                    "ms": in_ms(float(np.median(run.inference_ns[step_of == step]))),
                    "run": f"run {number}",
                    "state": earlier[-1] if earlier else run.conditions.thermal_before or "not told",
                }
            )
    return points


def draw_timeline(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Draw a line a run; the marks of a state have their own shape and colour, and stand where it begins."""
    scale = fit_ms_scale(point["ms"] for point in points)
    runs = list(dict.fromkeys(point["run"] for point in points))
    x = alt.X("s:Q", title="seconds of work", scale=alt.Scale(nice=False))
    y = alt.Y("ms:Q", scale=scale.to_altair(), axis=scale.to_axis("latency (ms)"))
    base = inline(points).encode(x=x, y=y)
    line = base.mark_line(strokeWidth=2).encode(
        color=alt.Color("run:N", legend=None, scale=alt.Scale(domain=runs, range=order_colours(len(runs))))
    )
    begins = [
        point
        for place, point in enumerate(points)
        if place == 0 or (points[place - 1]["run"], points[place - 1]["state"]) != (point["run"], point["state"])
    ]
    told = [{**point, "rank": _STATES.index(point["state"]) + 1} for point in begins if point["state"] in _STATES]
    marks = (
        inline(told)
        .mark_point(filled=True, size=80, opacity=1, color="var(--text)")
        .encode(
            x=x,
            y=y,
            shape=alt.Shape(
                "state:N",
                scale=alt.Scale(domain=list(_STATES), range=["circle", "square", "triangle-up", "cross"]),
                legend=alt.Legend(offset=32) if told else None,
            ),
            tooltip=[alt.Tooltip("run:N"), alt.Tooltip("state:N"), alt.Tooltip("s:Q"), alt.Tooltip("ms:Q")],
        )
    )
    return compose(
        line,
        *([marks] if told else []),
        height=_HEIGHT,
        top=_TITLE_HEIGHT,
        description="Latency in milliseconds over the seconds of sustained work, with the thermal states.",
    )
