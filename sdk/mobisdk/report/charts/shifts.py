"""How far each network's median moved, with its bounds, beside the threshold: regressions to the right of it."""

from collections.abc import Sequence
from typing import Any, Final

import altair as alt

from mobisdk.latency.compare import Comparison, VariantComparison
from mobisdk.report.charts.figures import HAS_INTERVAL, has_interval, short
from mobisdk.report.charts.theme import NUMBER, SERIES, SHAPES, compose, inline
from mobisdk.report.comparison import explain_verdict, format_change
from mobisdk.report.labels import dials_labels, network_labels, runtime_label, threads_label
from mobisdk.report.printable import printable

_VERDICTS: Final = ("faster", "slower", "same", "cannot tell")
_ROW_HEIGHT, _TITLE_HEIGHT = 26, 8
_MOST_ROWS: Final = 40
_LEGEND_ON_A_PHONE: Final = 3
"""So many verdicts stand side by side on 360 pixels."""


def shift_points(comparison: Comparison, *, brief: bool = False) -> list[dict[str, Any]]:
    """One point a variant in percent, the worst first; of many, the first forty.

    A picture by itself has every network's whole name and recipe; a `brief` one, beside a table, what tells them apart.
    """
    label = dials_labels if brief else network_labels
    names = label([(variant.new, variant.new_warm) for variant in comparison.variants])
    name_of = dict(zip(map(id, comparison.variants), names, strict=True))
    settings = [_describe_setting(variant) for variant in comparison.variants]
    telling = [
        name
        for name in settings[0]
        if len({setting[name] for setting in settings}) > 1 or (name == "recipe" and not brief)
    ]
    points = []
    for variant in sorted(comparison.variants, key=lambda variant: -variant.shift.change)[:_MOST_ROWS]:
        shift = variant.shift
        setting = _describe_setting(variant)
        name = [name_of[id(variant)], *(setting[trait] for trait in telling)]
        point = {
            "network": printable(", ".join(name)),
            "change": short(100 * shift.change),
            "verdict": shift.verdict,
            "text": format_change(shift),
            "told": explain_verdict(shift),
        }
        if shift.low is not None and shift.high is not None:
            point |= {"low": short(100 * shift.low), "high": short(100 * shift.high)}
        points.append(point)
    return points


def _describe_setting(variant: VariantComparison) -> dict[str, str]:
    """What tells rows of one network apart."""
    new = variant.new
    return {
        "recipe": new.bundle.recipe,
        "device": new.device_label,
        "runtime": runtime_label(new),
        "threads": threads_label(new),
        "mode": variant.mode,
    }


def draw_shifts(points: Sequence[dict[str, Any]], threshold: float) -> dict[str, Any]:
    """Draw a row a variant; dashed lines are the threshold. Verdicts differ in colour and in shape."""
    x = alt.X("change:Q", title="change of the median (%)", axis=alt.Axis(format=f"+{NUMBER}", grid=True))
    found = [verdict for verdict in _VERDICTS if any(point["verdict"] == verdict for point in points)]
    legend = alt.Legend(symbolOpacity=1, values=found, columns=2 if len(found) > _LEGEND_ON_A_PHONE else 0)
    colour = alt.Color("verdict:N", scale=alt.Scale(domain=list(_VERDICTS), range=list(SERIES[:4])), legend=legend)
    shape = alt.Shape("verdict:N", legend=legend, scale=alt.Scale(domain=list(_VERDICTS), range=list(SHAPES[:4])))
    base = inline(points).encode(y=alt.Y("network:N", sort=None, title=None, axis=alt.Axis(labelLimit=220)))
    bars = base.transform_filter(HAS_INTERVAL).mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q")
    tooltip = [alt.Tooltip("network:N"), alt.Tooltip("text:N", title="change"), alt.Tooltip("told:N", title="verdict")]
    marks = base.mark_point(filled=True, size=80, opacity=1).encode(x=x, color=colour, shape=shape, tooltip=tooltip)
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
