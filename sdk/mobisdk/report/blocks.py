"""A device's charts, each kind under a heading with a sentence that says how to read it."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from mobisdk.latency.compare import Comparison
from mobisdk.latency.groups import rows_of_group
from mobisdk.report.accuracy import Accuracy
from mobisdk.report.charts.cold_start import cold_start_points, draw_cold_start
from mobisdk.report.charts.distribution import distribution_strips, draw_distribution
from mobisdk.report.charts.figures import extent, has_interval
from mobisdk.report.charts.pareto import Cost, draw_pareto, fits, pareto_points
from mobisdk.report.charts.scale import fit_ms_scale
from mobisdk.report.charts.shifts import draw_shifts, shift_points
from mobisdk.report.charts.surface import draw_surface, is_surface, surface_points
from mobisdk.report.charts.sweep import Dial, draw_sweep, is_sweep, sweep_points
from mobisdk.report.charts.theme import NO_LIMITS, Limits
from mobisdk.report.charts.timeline import draw_timeline, timeline_points
from mobisdk.report.comparison import summarize
from mobisdk.report.labels import Row, network_labels
from mobisdk.report.panels import Panel, part_by_mode, part_by_network, part_by_recipe, part_by_setting
from mobisdk.report.printable import printable

_BLOCK_BYTES = 80_000
"""Where a block ends: the page stays small, however many settings were measured."""
_FEWEST_POINTS_OF_A_WIDE_CHART = 4
_EVALUATE: Final = (
    "mobisdk evaluate BUNDLE --data DATA --json > accuracy.json",
    "mobisdk analyze LOGS --accuracy accuracy.json --html report.html",
)
_CHANGES: Final = "Changes since the logs of before"
_MOST_POINTS, _MOST_STRIPS = 300, 40
"""A point, or a strip, for each of a thousand bundles is no picture any more."""
_SWEEPS: Final[dict[Dial, tuple[str, str, str]]] = {
    "alpha": (
        "Latency against width α",
        "What a wider network costs, at each resolution.",
        "--alpha 0.25,0.5,0.75,1.0",
    ),
    "resolution": (
        "Latency against resolution ρ",
        "What more pixels cost, at each width.",
        "--resolution 128,160,192,224",
    ),
}


@dataclasses.dataclass(frozen=True)
class Figure:
    """A chart in Vega-Lite; `caption` says what tells it from its neighbours."""

    caption: str
    spec: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Block:
    """A kind of chart: how to read it, and its figures; where there are none, `commands` would make some."""

    heading: str
    reading: str
    figures: tuple[Figure, ...] = ()
    commands: tuple[str, ...] = ()
    is_wide: bool = False
    """Whether a single figure has the page's whole width."""


_Points = list[dict[str, Any]]
_Drawable = list[tuple[Panel, _Points]]


def build_blocks(
    rows: Sequence[Row],
    accuracies: Mapping[str, Accuracy],
    runs: pa.Table | None = None,
    limits: Limits = NO_LIMITS,
    comparison: Comparison | None = None,
) -> list[Block]:
    """Build a device's blocks: first what can be drawn, then how to measure what cannot; `runs` are its rows."""
    blocks = [
        *_build_regressions(rows, comparison),
        _build_pareto(rows, accuracies, limits),
        *_build_sizes(rows, accuracies, limits),
        *_build_surface(rows),
        *_build_timeline(rows, runs),
        _build_sweep(rows, "alpha", limits.max_latency_ms),
        _build_sweep(rows, "resolution", limits.max_latency_ms),
        _build_distribution(rows),
        _build_cold_start(rows),
    ]
    return sorted(blocks, key=lambda block: not block.figures)


def _build_regressions(rows: Sequence[Row], comparison: Comparison | None) -> list[Block]:
    if comparison is None:
        return []
    here = {id(group) for group, _ in rows}
    own = dataclasses.replace(comparison, variants=tuple(v for v in comparison.variants if id(v.new) in here))
    if not own.variants:
        return [Block(_CHANGES, "None of these networks was measured on this device before.")]
    reading = (
        f"{summarize(own)} Right of the dashed lines a network has become slower by more than the threshold. Bars are "
        "one-sided bounds: where they reach across zero, noise could have done it."
    )
    points = shift_points(own, brief=True)
    if len(points) < len(own.variants):
        reading += f" The {len(points)} that slowed most are drawn."
    figure = Figure("", draw_shifts(points, own.threshold))
    return [Block(_CHANGES, reading, (figure,), is_wide=True)]


def _build_pareto(rows: Sequence[Row], accuracies: Mapping[str, Accuracy], limits: Limits) -> Block:
    heading = "Accuracy against latency"
    drawable = _with_points(part_by_mode(rows), lambda panel: pareto_points(panel.rows, accuracies))
    if not drawable:
        needed = "How accurate these networks are is not known here. Evaluate each, and name what was found:"
        return Block(heading, needed, commands=_EVALUATE)
    reading = (
        "Further up and to the left is better. The dashed line is the Pareto front: no network here is both faster and "
        "more accurate than those on it. Bars are 95 % intervals." + _tell_budget(drawable, limits)
    )
    unknown = len({group.bundle.variant_id for group, _ in rows} - accuracies.keys())
    if unknown:
        reading += f" The accuracy of {unknown} more is not known."
    return _draw_fronts(heading, reading, drawable, limits, "ms")


def _build_sizes(rows: Sequence[Row], accuracies: Mapping[str, Accuracy], limits: Limits) -> list[Block]:
    """Accuracy against size, where an evaluation tells it."""
    heading = "Accuracy against size"
    drawable = _with_points(part_by_mode(rows)[:1], lambda panel: pareto_points(panel.rows, accuracies, "mb"))
    if not drawable:
        needed = "How large these networks are is not known here. Evaluate each anew, and name what was found:"
        return [] if limits.max_size_mb is None else [Block(heading, needed, commands=_EVALUATE)]
    reading = (
        "The same networks by what they take of a download. No network here is both smaller and more accurate than "
        "those on the dashed line." + _tell_budget(drawable, limits)
    )
    return [_draw_fronts(heading, reading, drawable, limits, "mb")]


def _tell_budget(drawable: _Drawable, limits: Limits) -> str:
    if limits == NO_LIMITS:
        return ""
    everyone = [point for _, points in drawable for point in points]
    fitting = sum(fits(point, limits) for point in everyone)
    return f" Dotted lines are the budget: {fitting} of {len(everyone)} keep all of it."


def _draw_fronts(heading: str, reading: str, drawable: _Drawable, limits: Limits, cost: Cost) -> Block:
    if any(len(points) > _MOST_POINTS for _, points in drawable):
        reading += f" {_MOST_POINTS} networks are drawn, those on the line first."
    block = _draw(
        heading, reading, drawable, lambda points: draw_pareto(_front_first(points)[:_MOST_POINTS], limits, cost)
    )
    return dataclasses.replace(
        block, is_wide=any(len(points) >= _FEWEST_POINTS_OF_A_WIDE_CHART for _, points in drawable)
    )


def _front_first(points: _Points) -> _Points:
    return sorted(points, key=lambda point: not point["is_best"])


def _build_surface(rows: Sequence[Row]) -> list[Block]:
    drawable = _with_points(part_by_network(rows), lambda panel: surface_points(panel.rows))
    drawable = [(panel, points) for panel, points in drawable if is_surface(points)]
    if not drawable:
        return []
    reading = "The median in milliseconds of every network by both of its dials; the stronger the colour, the slower."
    return [_draw("Latency over α × ρ", reading, drawable, draw_surface)]


def _build_timeline(rows: Sequence[Row], runs: pa.Table | None) -> list[Block]:
    if runs is None:
        return []
    found = []
    for name, (group, warm) in zip(network_labels(rows), rows, strict=True):
        if warm is None or warm.mode != "sustained":
            continue
        if points := timeline_points(rows_of_group(runs, group)):
            found.append((Panel(f"{name}, {printable(group.bundle.recipe)}", ((group, warm),)), points))
    if not found:
        return []
    reading = (
        "Each line is a run, each mark the thermal state that begins there. Level lines stay as fast as they began."
    )
    return [_draw("Sustained work over time", reading, found, draw_timeline)]


def _build_sweep(rows: Sequence[Row], dial: Dial, max_ms: float | None) -> Block:
    heading, reading, option = _SWEEPS[dial]
    panels, rest = _first_rows(part_by_network(rows), _MOST_POINTS)
    drawable = _with_points(panels, lambda panel: sweep_points(panel.rows, dial))
    drawable = [(panel, points) for panel, points in drawable if is_sweep(points)]
    if not drawable:
        target = "ios" if all(group.runtime.name == "coreml" for group, _ in rows) else "android"
        needed = f"No two networks here differ in {'α' if dial == 'alpha' else 'ρ'} alone. These would:"
        return Block(heading, needed, commands=(f"mobisdk export --target {target} {option} --untrained",))
    values = [value for _, points in drawable for value in extent(points)]
    scale = fit_ms_scale([*values, *([] if max_ms is None else [max_ms])])
    if any(has_interval(points) for _, points in drawable):
        reading += " Bars are 95 % intervals over runs."
    if max_ms is not None:
        reading += " The dotted line is the budget."
    if scale.is_log:
        reading += " The upright axis is logarithmic."
    return _draw(heading, reading + rest, drawable, lambda points: draw_sweep(points, dial, scale, max_ms))


def _build_distribution(rows: Sequence[Row]) -> Block:
    reading = (
        "The stronger the colour, the more of a network's samples lie there. One narrow strip is a steady network; two "
        "strong places or a long tail are what its median hides."
    )
    panels, rest = _first_rows(part_by_setting(rows), _MOST_STRIPS)
    drawable = _with_points(panels, lambda panel: distribution_strips(panel.rows))
    if not drawable:
        needed = "No warm run was measured. On a computer, the bench makes some:"
        return Block("Spread of the samples", needed, commands=("mobisdk bench BUNDLE",))
    return _draw("Spread of the samples", reading + rest, drawable, draw_distribution)


def _build_cold_start(rows: Sequence[Row]) -> Block:
    started_cold = {id(group): (group, warm) for group, warm in reversed(rows) if group.cold}
    panels, rest = _first_rows(part_by_recipe(reversed(started_cold.values())), _MOST_STRIPS)
    drawable = _with_points(panels, lambda panel: cold_start_points(panel.rows))
    if not drawable:
        needed = "No cold start was measured. On a computer, the bench makes some:"
        return Block("Cold against warm", needed, commands=("mobisdk bench BUNDLE --cold-starts 5",))
    reading = "The first image of a fresh process waits until the network is loaded, and longer than those after it."
    return _draw("Cold against warm", reading + rest, drawable, draw_cold_start)


def _first_rows(panels: Sequence[Panel], most: int) -> tuple[list[Panel], str]:
    """Cut panels to as many rows as a picture holds, and say so."""
    is_cut = any(len(panel.rows) > most for panel in panels)
    cut = [Panel(panel.heading, panel.rows[:most]) for panel in panels]
    return cut, f" The first {most} networks are drawn." * is_cut


def _with_points(panels: Sequence[Panel], find: Callable[[Panel], _Points]) -> _Drawable:
    found = [(panel, find(panel)) for panel in panels]
    return [(panel, points) for panel, points in found if points]


def _draw(heading: str, reading: str, drawable: _Drawable, draw: Callable[[_Points], dict[str, Any]]) -> Block:
    """Draw panels until the block is full, and say how many are left out."""
    figures: list[Figure] = []
    used = 0
    for panel, points in drawable:
        figure = Figure(panel.heading, draw(points))
        used += len(json.dumps(figure.spec))
        if figures and used > _BLOCK_BYTES:
            reading += f" {len(drawable) - len(figures)} more settings are in the table alone."
            break
        figures.append(figure)
    return Block(heading, reading, tuple(figures))
