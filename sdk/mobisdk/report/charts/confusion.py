"""A confusion matrix as a picture: what images are, and what they were named."""

from typing import Any, Final

import altair as alt

from mobisdk.accuracy import Evaluation
from mobisdk.report.charts.figures import short
from mobisdk.report.charts.theme import SERIES, compose, inline
from mobisdk.report.printable import printable

MOST_CLASSES: Final = 60
"""Of more, a cell is no larger than a dot."""
_MOST_CLASSES_WITH_COUNTS: Final = 12
_CELL, _SMALL_CELL = 26, 12
_LONGEST_NAME: Final = 16
_LONGEST_LEVEL_NAME: Final = 2


def draw_confusion(evaluation: Evaluation) -> dict[str, Any]:
    """Draw a row a class: right ones in one colour, mistakes in another, each the stronger the larger its share."""
    names = _names(evaluation.classes)
    rows = dict(zip(evaluation.classes, names, strict=True))
    cells = [
        {
            "label": rows[cell.label],
            "predicted": rows[cell.predicted],
            "count": cell.count,
            "share": short(cell.count / cell.images),
            "right": cell.label == cell.predicted,
        }
        for cell in evaluation.cells
    ]
    is_small = len(names) <= _MOST_CLASSES_WITH_COUNTS
    look: dict[str, Any] = {"labelLimit": 110, "labelOverlap": False, "domain": False, "ticks": False, "grid": False}
    angle = 0 if is_small and max(map(len, names)) <= _LONGEST_LEVEL_NAME else -90
    base = inline(cells).encode(
        x=alt.X(
            "predicted:N",
            sort=None,
            scale=alt.Scale(domain=names),
            title="named",
            axis=alt.Axis(**look, labelAngle=angle),
        ),
        y=alt.Y("label:N", sort=None, scale=alt.Scale(domain=names), title="is", axis=alt.Axis(**look)),
        tooltip=[
            alt.Tooltip("label:N", title="is"),
            alt.Tooltip("predicted:N", title="named"),
            alt.Tooltip("count:Q"),
            alt.Tooltip("share:Q", title="of its class", format=".1%"),
        ],
    )
    colour = alt.Color("right:N", legend=None, scale=alt.Scale(domain=[True, False], range=[SERIES[0], SERIES[1]]))
    # By its square root a single mistake among many images still shows.
    opacity = alt.Opacity("share:Q", legend=None, scale=alt.Scale(type="sqrt", domain=[0, 1], range=[0.08, 0.75]))
    layers = [base.mark_rect(cornerRadius=2).encode(color=colour, opacity=opacity)]
    if is_small:
        layers.append(base.mark_text(fontSize=11).encode(text="count:Q"))
    return compose(
        *layers,
        height=(_CELL if is_small else _SMALL_CELL) * len(names),
        top=24,
        description="Confusion matrix: a row is what images are, a column what they were named.",
    )


def _names(classes: tuple[str, ...]) -> list[str]:
    """Short names that tell the classes apart."""
    short_names = [printable(name) for name in classes]
    cut = [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in short_names]
    return cut if len(set(cut)) == len(cut) else [f"{place} {name}" for place, name in enumerate(cut)]
