"""How like the network's each layer of an artefact is, from the first to the last."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from mobisdk.report.charts.figures import short
from mobisdk.report.charts.theme import SERIES, compose, inline
from mobisdk.report.printable import printable

_ROW_HEIGHT = 18
_WORST = 3
"""So many layers do most of the damage."""


def draw_layers(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Draw `layers`, each with `layer`, `sqnr_db` and `fall_db`, the first on top; the steepest falls stand out."""
    steepest = sorted((layer["fall_db"] for layer in layers), reverse=True)[:_WORST]
    points = [
        {
            # Two layers may be called alike; the place keeps them apart.
            "row": f"{place + 1}. {printable(layer['layer'])}",
            "sqnr_db": short(layer["sqnr_db"]),
            "text": f"{layer['sqnr_db']:.1f}",
            "falls": layer["fall_db"] in steepest,
        }
        for place, layer in enumerate(layers)
    ]
    base = inline(points).encode(
        y=alt.Y("row:N", sort=None, title=None, axis=alt.Axis(labelLimit=320, ticks=False, domain=False)),
        x=alt.X("sqnr_db:Q", title="signal to quantization noise (dB)", axis=alt.Axis(grid=True, tickCount=6)),
    )
    colour = alt.condition("datum.falls", alt.value(SERIES[1]), alt.value(SERIES[0]))
    bars = base.mark_bar(height=_ROW_HEIGHT - 6).encode(color=colour)
    numbers = base.mark_text(align="left", dx=4).encode(text="text:N")
    return compose(
        bars,
        numbers,
        height=_ROW_HEIGHT * len(points),
        right=40,
        description="Signal to quantization noise of each layer, in decibels.",
    )
