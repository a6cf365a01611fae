"""How the samples of each bundle lie about their median: is it steady, or does the median hide something?"""

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np
from numpy.typing import NDArray

from mobisdk.report.charts.figures import in_ms, short
from mobisdk.report.charts.theme import NUMBER, compose, inline
from mobisdk.report.labels import Row, dials_labels, network_labels

_FARTHEST_PERCENT: Final = 100.0
_BINS: Final = 96
"""Steps of shade along the axis, however many samples there are."""
_DRAWN: Final = (0.5, 99.5)
"""Percentiles between which samples are drawn: the slowest of ten thousand would squeeze all others."""
_TOLD: Final = (5, 25, 50, 75, 95)
_ROW_HEIGHT, _STRIP_HEIGHT = 28, 18


def distribution_strips(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Reduce each bundle's samples to a histogram of their distance from the median in percent, on one axis for all.

    `bin` numbers the bins that hold a sample; they are `step` wide from `start` on. `density` is a bin's count as a
    share of the fullest's.
    """
    names = zip(dials_labels(rows), network_labels(rows), rows, strict=True)
    pooled = [
        (label, network, np.concatenate(warm.inference_ns), warm.p50.value_ns)
        for label, network, (_, warm) in names
        if warm is not None and warm.p50 is not None and warm.p50.value_ns
    ]
    distances = [(samples / median - 1) * 100 for _, _, samples, median in pooled]
    if not distances:
        return []
    low = min(np.percentile(distance, _DRAWN[0], method="lower") for distance in distances)
    high = max(np.percentile(distance, _DRAWN[1], method="higher") for distance in distances)
    edges = np.linspace(low - 1, min(high, _FARTHEST_PERCENT) + 1, _BINS + 1)
    return [
        {
            "row": label,
            "network": network,
            **_histogram(distance, edges),
            **{f"p{q}": in_ms(value) for q, value in zip(_TOLD, np.percentile(samples, _TOLD), strict=True)},
            "samples": int(samples.size),
        }
        for (label, network, samples, _), distance in zip(pooled, distances, strict=True)
    ]


def _histogram(distances: NDArray[np.float64], edges: NDArray[np.float64]) -> dict[str, Any]:
    counts, _ = np.histogram(distances, edges)
    held = np.flatnonzero(counts)
    return {
        "start": short(edges[0]),
        "step": short(edges[1] - edges[0]),
        "bin": held.tolist(),
        "density": [round(count / counts.max(), 2) for count in counts[held].tolist()],
    }


def draw_distribution(strips: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Draw a strip a bundle, darker where more samples lie, with a line at the median."""
    x = alt.X(
        "at:Q",
        title="difference from the median (%)",
        scale=alt.Scale(zero=False, nice=False),
        axis=alt.Axis(format=f"+{NUMBER}", labelExpr="datum.value ? datum.label : '0'", grid=True, tickCount=6),
    )
    base = inline(strips).encode(
        y=alt.Y("row:N", sort=None, title=None),
        tooltip=[
            alt.Tooltip("network:N"),
            *(alt.Tooltip(f"p{q}:Q", title=f"p{q} (ms)", format=".4~r") for q in _TOLD),
            alt.Tooltip("samples:Q", format=","),
        ],
    )
    # The eye takes area for amount: by its square root a thin tail still shows.
    shade = alt.Opacity("density:Q", legend=None, scale=alt.Scale(type="sqrt", domain=[0, 1], range=[0.06, 1]))
    strip = (
        base.transform_flatten(["bin", "density"])
        .transform_calculate(at="datum.start + datum.bin * datum.step", until="datum.at + datum.step")
        .mark_bar(height=_STRIP_HEIGHT)
        .encode(x=x, x2="until:Q", opacity=shade)
    )
    median = base.mark_tick(thickness=2.5, size=_STRIP_HEIGHT + 6).encode(x=alt.datum(0))
    return compose(
        strip,
        median,
        height=_ROW_HEIGHT * len(strips),
        description="Distribution of each network's samples about their median, in percent.",
    )
