"""How far each network's median moved, with its bounds, beside the threshold: regressions to the right of it."""

from collections.abc import Sequence
from typing import Any, Final

import altair as alt

from mobisdk.latency.compare import Comparison
from mobisdk.report.charts.figures import HAS_INTERVAL, has_interval, short
from mobisdk.report.charts.theme import NUMBER, SERIES, SHAPES, compose, inline
from mobisdk.report.printable import printable

_VERDICTS: Final = ("faster", "slower", "same", "cannot tell")
_ROW_HEIGHT, _TITLE_HEIGHT = 26, 8
_MOST_ROWS: Final = 40


def shift_points(comparison: Comparison) -> list[dict[str, Any]]:
    """One point a variant in percent, the worst first; of many, the first forty."""
    devices = len({variant.new.device_label for variant in comparison.variants})
    points = []
    for variant in sorted(comparison.variants, key=lambda variant: -variant.shift.change)[:_MOST_ROWS]:
        shift = variant.shift
        name = [
            variant.new.variant_label,
            variant.new.bundle.recipe,
            *([variant.new.device_label] if devices > 1 else []),
        ]
        point = {"network": printable(", ".join(name)), "change": short(100 * shift.change), "verdict": shift.verdict}
        if shift.low is not None and shift.high is not None:
            point |= {"low": short(100 * shift.low), "high": short(100 * shift.high)}
        points.append(point)
    return points


def draw_shifts(points: Sequence[dict[str, Any]], threshold: float) -> dict[str, Any]:
    """Draw a row a variant; dashed lines are the threshold. Verdicts differ in colour and in shape."""
    x = alt.X("change:Q", title="change of the median (%)", axis=alt.Axis(format=f"+{NUMBER}", grid=True))
    colour = alt.Color(
        "verdict:N", scale=alt.Scale(domain=list(_VERDICTS), range=list(SERIES[:4])), legend=alt.Legend(symbolOpacity=1)
    )
    shape = alt.Shape("verdict:N", scale=alt.Scale(domain=list(_VERDICTS), range=list(SHAPES[:4])))
    base = inline(points).encode(y=alt.Y("network:N", sort=None, title=None, axis=alt.Axis(labelLimit=320)))
    bars = base.transform_filter(HAS_INTERVAL).mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q")
    marks = base.mark_point(filled=True, size=80, opacity=1).encode(x=x, color=colour, shape=shape)
    limits = (
        inline([{"change": 100 * threshold}, {"change": -100 * threshold}])
        .mark_rule(strokeDash=[4, 3], color="var(--chart-front)")
        .encode(x="change:Q")
    )
    return compose(
        limits,
        *([bars] if has_interval(points) else []),
        marks,
        height=_ROW_HEIGHT * len(points),
        top=_TITLE_HEIGHT,
        description="Change of each network's median latency in percent, with its bounds and the threshold.",
    )
