"""`mobisdk predict`: the latency of a network that nobody has run."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobisdk.cli.console import Json, print_json, say, stdout
from mobisdk.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobisdk.latency.observations import Observation
    from mobisdk.latency.predict import Prediction

GRID_ALPHAS = (0.25, 0.35, 0.5, 0.6, 0.75, 0.9, 1.0)
GRID_RESOLUTIONS = (96, 128, 160, 192, 224)

LogsOption = Annotated[
    list[str] | None, typer.Option("--logs", help="Latency logs to learn from.  [default: latency.jsonl]")
]


def predict(
    device: Annotated[str | None, typer.Option(help="A part of the device's name that no other has.")] = None,
    arch: Annotated[str, typer.Option(help="Architecture; see `mobisdk models list`.")] = "mobilenet_v1",
    alpha: Annotated[float, typer.Option(help="Width multiplier.")] = 1.0,
    resolution: Annotated[int, typer.Option(help="Input height and width in pixels.")] = 224,
    recipe: Annotated[str | None, typer.Option(help="Backend and precision.  [default: the only one measured]")] = None,
    threads: Annotated[int | None, typer.Option(help="Thread count.  [default: the one measured most]")] = None,
    logs: LogsOption = None,
    table: Annotated[
        Path | None,
        typer.Option(help="Learn from a CSV of arch, alpha, resolution, latency_ms[, device, recipe].", metavar="FILE"),
    ] = None,
    grid: Annotated[bool, typer.Option("--grid", help="Predict a surface over α × ρ.")] = False,
    chart: Annotated[
        Path | None, typer.Option(help="Draw the surface of --grid: .svg or .png.", metavar="FILE")
    ] = None,
    measure: Annotated[
        int | None,
        typer.Option(
            help="Name so many networks to measure first, which tell most of the others; --arch may be a list.",
            metavar="COUNT",
        ),
    ] = None,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Leave each measured network out in turn: how far off is the model?")
    ] = False,
    json: Json = False,
) -> None:
    """Predict the latency of a network that nobody has run.

    With its interval. A roofline is fitted for each device, runtime, backend, thread count and recipe from its logs.
    """
    if chart is not None and not grid:
        raise typer.BadParameter("--chart draws the surface of --grid")
    if measure is not None:
        return _choose_to_measure(arch, measure, recipe, json)
    observations = _read_observations(logs, table)
    if evaluate:
        return _evaluate(observations, json)
    from mobisdk.cli.settings import select_setting
    from mobisdk.latency.predict import fit_model
    from mobisdk.report.prediction import build_grid_table, build_prediction_table, to_document
    from mobisdk.specs import ModelSpec

    model = fit_model(select_setting(observations, device, recipe, threads), observations)
    asked = ModelSpec(arch=arch, alpha=alpha, resolution=resolution)
    specs = [
        dataclasses.replace(asked, alpha=a, resolution=r) for r in GRID_RESOLUTIONS for a in GRID_ALPHAS
    ] if grid else [asked]  # fmt: skip
    predictions = model.predict_all(specs)
    if chart is not None:
        _draw(predictions, chart)
    if json:
        return print_json(to_document(model, predictions))
    stdout().print(model.setting.label, style="bold", markup=False)
    stdout().print(build_grid_table(predictions) if grid else build_prediction_table(predictions))
    if grid:
        for caution in dict.fromkeys(caution for p in predictions for caution in p.cautions):
            say(caution if "extrapolated" not in caution else f"* {caution}")
    return None


def _choose_to_measure(archs: str, count: int, recipe: str | None, json: bool) -> None:
    """Nothing needs to be known of the device: what tells most does not depend on it."""
    from mobisdk.latency.design import choose_to_measure
    from mobisdk.report.prediction import to_design_document
    from mobisdk.specs import ModelSpec

    grid = [
        ModelSpec(arch=arch.strip(), alpha=alpha, resolution=resolution)
        for arch in archs.split(",")
        for resolution in GRID_RESOLUTIONS
        for alpha in GRID_ALPHAS
    ]
    chosen = choose_to_measure(grid, count)
    if json:
        return print_json(to_design_document(chosen))
    target = "ios" if (recipe or "").startswith("coreml") else "android"
    ending = f" --recipe {recipe}" if recipe else ""
    for spec in chosen:
        print(
            f"mobisdk export --target {target} --arch {spec.arch} --alpha {spec.alpha:g} "
            f"--resolution {spec.resolution} --untrained{ending}"
        )
    return say("Measure these on the phone, or here with `mobisdk bench bundles/*`, then predict the others.")


def _read_observations(logs: "Sequence[str] | None", table: Path | None) -> "tuple[Observation, ...]":
    if table is not None:
        if logs:
            raise typer.BadParameter("--table and --logs: learn from one of them")
        from mobisdk.latency.observations import read_latency_table

        return read_latency_table(table)
    from mobisdk.cli.analyze import tell_set_aside
    from mobisdk.cli.logs_argument import read_runs
    from mobisdk.latency.in_memory import analyze_runs
    from mobisdk.latency.observations import observe_report

    report = analyze_runs(read_runs(logs or ["latency.jsonl"]))
    tell_set_aside(report.set_aside)
    return observe_report(report)


def _evaluate(observations: "tuple[Observation, ...]", json: bool) -> None:
    from mobisdk.latency.predict import evaluate
    from mobisdk.report.prediction import build_evaluation_table, to_evaluation_document

    evaluation = evaluate(observations)
    if json:
        return print_json(to_evaluation_document(evaluation))
    stdout().print(build_evaluation_table(evaluation))
    return stdout().print(
        f"Left out one by one: mean absolute error {evaluation.mape_percent:.1f} %, "
        f"{evaluation.within_10_percent:.0f} % within 10 %, "
        f"{evaluation.in_interval_percent:.0f} % within their 95 % interval.",
        markup=False,
    )


def _draw(predictions: "Sequence[Prediction]", chart: Path) -> None:
    from mobisdk.files import write_atomically
    from mobisdk.report.charts.picture import FORMATS, draw_picture
    from mobisdk.report.charts.surface import draw_surface
    from mobisdk.report.prediction import surface_points

    if chart.suffix not in FORMATS:
        raise ConfigError("--chart must name a picture", got=str(chart), allowed=", ".join(FORMATS))
    write_atomically(chart, draw_picture(draw_surface(surface_points(predictions)), chart.suffix))
    say(f"Chart: {chart}")
