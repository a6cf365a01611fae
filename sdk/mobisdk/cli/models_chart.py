"""`mobisdk models chart`: which architecture is worth its cost."""

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobisdk.cli.console import Json, print_json, say
from mobisdk.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mobisdk.specs import ModelSpec


class Against(enum.StrEnum):
    """What a network costs."""

    LATENCY = "latency"
    MACS = "macs"
    SIZE = "size"


def chart(
    output: Annotated[Path, typer.Argument(help=".svg, .png or .html.", metavar="FILE", show_default=False)],
    against: Annotated[
        Against, typer.Option(help="latency: as measured, of --logs; macs: multiply-adds; size: of float32 weights.")
    ] = Against.LATENCY,
    runs: Annotated[Path, typer.Option(help="Folder where `mobisdk train` left its runs.")] = Path("runs"),
    logs: Annotated[
        list[str] | None, typer.Option("--logs", help="Latency logs; may be repeated.  [default: latency.jsonl]")
    ] = None,
    device: Annotated[str | None, typer.Option(help="A part of the device's name that no other has.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Backend and precision.  [default: the only one measured]")] = None,
    threads: Annotated[int | None, typer.Option(help="Thread count.  [default: the one measured most]")] = None,
    json: Json = False,
) -> None:
    """Draw accuracy against latency, multiply-adds or size.

    A point a trained network, of the data that was trained on last.
    """
    from mobisdk.accuracy import wilson_interval
    from mobisdk.cli.comparable_runs import list_comparable_runs
    from mobisdk.files import write_atomically
    from mobisdk.report.charts.networks import draw_networks, network_points
    from mobisdk.report.charts.picture import CHART_FORMATS, draw_chart

    if output.suffix not in CHART_FORMATS or not output.parent.is_dir():
        raise ConfigError(
            "the chart's file must be a picture or a page, in a folder that is there",
            got=str(output),
            allowed=", ".join(CHART_FORMATS),
        )
    trained = {run.plan.model: run.metrics[-1] for run in list_comparable_runs(runs)}
    costs = (
        _read_latencies(logs or ["latency.jsonl"], device, recipe, threads)
        if against is Against.LATENCY
        else {spec: _count(spec, against) for spec in trained}
    )
    drawn = {spec: found for spec, found in trained.items() if spec in costs}
    if not drawn:
        raise DataError(
            "no trained network was measured", got=[spec.name for spec in trained],
            hint="Export and `mobisdk bench` them, or draw them --against macs",
        )  # fmt: skip
    if len(drawn) < len(trained):
        say(f"{len(trained) - len(drawn)} of {len(trained)} trained networks were not measured and are left out")
    names = _name(list(drawn))
    points = network_points(
        [
            (names[spec], costs[spec], found["accuracy"], *wilson_interval(found["correct"], found["tested"]))
            for spec, found in drawn.items()
        ]
    )
    write_atomically(output, draw_chart(draw_networks(points, against.value), output.suffix))
    say(f"Chart: {output}")
    if json:
        print_json({"file": str(output), "against": against.value, "networks": points})


def _read_latencies(
    logs: Sequence[str], device: str | None, recipe: str | None, threads: int | None
) -> "dict[ModelSpec, float]":
    """Median milliseconds in the one setting that is asked for."""
    from mobisdk.cli.analyze import tell_set_aside
    from mobisdk.cli.logs_argument import read_runs
    from mobisdk.cli.settings import select_setting
    from mobisdk.latency.in_memory import analyze_runs
    from mobisdk.latency.observations import observe_report

    report = analyze_runs(read_runs(logs))
    tell_set_aside(report.set_aside)
    observations = observe_report(report)
    setting = select_setting(observations, device, recipe, threads)
    return {each.spec: each.latency_ms for each in observations if each.setting == setting}


def _count(spec: "ModelSpec", against: Against) -> float:
    from mobisdk.cost import count_spec_cost

    cost = count_spec_cost(spec)
    return (cost.macs if against is Against.MACS else cost.size_bytes) / 1e6


def _name(specs: "Sequence[ModelSpec]") -> "dict[ModelSpec, str]":
    """The architecture, with its dials where it was trained at several."""
    archs = [spec.arch for spec in specs]
    return {
        spec: spec.arch if archs.count(spec.arch) == 1 else f"{spec.arch} {spec.alpha:g} at {spec.resolution}"
        for spec in specs
    }
