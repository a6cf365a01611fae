"""`mobisdk runs`: what was trained here, and how well."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobisdk.cli.confusion import print_confusion
from mobisdk.cli.console import Json, print_json, say, stdout
from mobisdk.cli.page_target import check_page_target
from mobisdk.cli.runs_report import report
from mobisdk.cli.train_methods import list_widths
from mobisdk.errors import ConfigError, DataError

if TYPE_CHECKING:
    from rich.table import Table

    from mobisdk.report.training_page import HeldOut
    from mobisdk.training import RunSummary
    from mobisdk.training.plan import TrainingPlan

runs_app = typer.Typer(
    name="runs", help="What was trained here, and how well.", no_args_is_help=True, rich_markup_mode=None
)
runs_app.command("report")(report)

_CURVES = (
    ("Loss", "loss", ".3f"),
    ("Held-out images named right", "accuracy", ".1%"),
    ("Learning rate", "learning_rate", ".2g"),
)
_SPARKS = 30
"""Epochs of a curve in a table, the last ones."""

Html = Annotated[
    Path | None, typer.Option("--html", help="Write a page with curves and mistakes, offline.", metavar="FILE")
]
Runs = Annotated[Path, typer.Option("--runs", help="Folder where `mobisdk train` left its runs.")]


@runs_app.command("list")
def list_all(runs: Runs = Path("runs"), json: Json = False) -> None:
    """Every training, the newest last."""
    from mobisdk.training import list_runs

    found = list_runs(runs)
    if json:
        return print_json([_describe(run) for run in found])
    if not found:
        return say(f"Nothing was trained in {runs} yet. Start with: mobisdk train --data digits")
    table = _table("run", ("epochs", "right", "95 % interval", "last epoch (UTC)"))
    for run in found:
        table.add_row(run.name, f"{len(run.metrics)}/{run.plan.epochs}", *_accuracy(run), run.updated_at[:16])
    return stdout().print(table)


@runs_app.command("show")
def show_one(
    name: Annotated[str, typer.Argument(help="A name from `mobisdk runs list`.")],
    runs: Runs = Path("runs"),
    confusion: Annotated[
        bool, typer.Option("--confusion", help="Test the network once more: what does it take for what?")
    ] = False,
    html: Html = None,
    json: Json = False,
) -> None:
    """One training: its settings, its data, and every epoch."""
    from mobisdk.training import read_run

    if html is not None:
        check_page_target(html)
    run = read_run(runs / name)
    evaluation = _evaluate(run).evaluation if confusion else None
    if json:
        confused = {} if evaluation is None else {"confusion": [dataclasses.asdict(cell) for cell in evaluation.cells]}
        print_json({**_describe(run), "versions": run.versions, "metrics": run.metrics, **confused})
    else:
        _print_run(run)
        if evaluation is not None:
            print_confusion(evaluation)
    if html is not None:
        _write_page(html, [run])


@runs_app.command("compare")
def compare_some(
    names: Annotated[list[str], typer.Argument(help="Two or more names from `mobisdk runs list`.")],
    runs: Runs = Path("runs"),
    html: Html = None,
    json: Json = False,
) -> None:
    """Trainings side by side: what was set otherwise, and what came of it."""
    from mobisdk.report.training_page import MOST_TRAININGS
    from mobisdk.training import read_run

    if html is not None:
        check_page_target(html)
    names = list(dict.fromkeys(names))
    if not 2 <= len(names) <= MOST_TRAININGS:
        raise ConfigError("compare takes several runs", got=names, allowed=f"2 to {MOST_TRAININGS} names")
    found = [read_run(runs / name) for name in names]
    differing = _differing([_facts(run) for run in found])
    if json:
        print_json({"differing": differing, "runs": [{**_describe(run), "metrics": run.metrics} for run in found]})
    else:
        _print_comparison(found, differing)
    if len({run.data["sha256"] for run in found}) > 1:
        say("They were tested on different images: their accuracies cannot be compared.")
    if html is not None:
        _write_page(html, found)


def _print_run(run: "RunSummary") -> None:
    settings = _table("setting", ())
    settings.add_column(run.name, overflow="fold")
    for key, value in _facts(run).items():
        settings.add_row(key, value)
    stdout().print(settings)
    epochs = _table("epoch", ("learning rate", "loss", "right", "images/s", "waiting for data", "seconds"))
    for line in run.metrics:
        epochs.add_row(
            str(line["epoch"]),
            f"{line['learning_rate']:.2g}",
            f"{line['loss']:.3f}",
            f"{line['accuracy']:.1%}",
            f"{line['images_per_second']:,.0f}",
            f"{line['data_wait_share']:.1%}",
            f"{line['seconds']:.1f}",
        )
    stdout().print(epochs)
    for width in list_widths(run.metrics[-1].get("widths", ()) if run.metrics else ()):
        stdout().print(width, soft_wrap=True)
    for heading, field, number in _CURVES:
        _print_curve(heading, [line[field] for line in run.metrics], number)


def _print_curve(heading: str, values: list[float], number: str) -> None:
    from mobisdk.report.curve import draw_curve

    if len(values) < 2:
        return
    lines = draw_curve(values, format(min(values), number), format(max(values), number))
    stdout().print(f"{heading}, epoch 1 to {len(values)}")
    stdout().print("\n".join(lines), markup=False, soft_wrap=True)
    stdout().print()


def _print_comparison(runs: "list[RunSummary]", differing: dict[str, list[str]]) -> None:
    from rich.text import Text

    from mobisdk.report.printable import printable
    from mobisdk.report.sparkline import sparkline

    table = _table("run", ("epochs", "right", "95 % interval", "loss"))
    table.add_column("right, by epoch", no_wrap=True)
    for run in runs:
        loss = f"{run.metrics[-1]['loss']:.3f}" if run.metrics else "–"
        curve = sparkline([line["accuracy"] for line in run.metrics][-_SPARKS:])
        table.add_row(run.name, f"{len(run.metrics)}/{run.plan.epochs}", *_accuracy(run), loss, curve)
    stdout().print(table)
    if not differing:
        return stdout().print("Their settings are the same.")
    settings = _table("setting", ())
    for run in runs:
        settings.add_column(run.name, overflow="fold")
    for key, values in differing.items():
        settings.add_row(key, *(Text(printable(value)) for value in values))
    return stdout().print(settings)


def _evaluate(run: "RunSummary") -> "HeldOut":
    from mobisdk.report.training_page import HeldOut
    from mobisdk.training.held_out import evaluate_run

    evaluation, images = evaluate_run(run)
    return HeldOut(evaluation, images.pixels, images.names)


def _write_page(html: Path, runs: "list[RunSummary]") -> None:
    from datetime import datetime

    from mobisdk.errors import MobiError
    from mobisdk.files import write_atomically
    from mobisdk.report.training_page import Training, build_training_page

    if unfinished := [run.name for run in runs if not run.metrics]:
        raise DataError("no epoch of the run is whole yet", got=unfinished)
    held_out, why_not = None, ""
    if len(runs) == 1:
        try:
            held_out = _evaluate(runs[0])
        except MobiError as error:
            why_not = f"What it takes for what is not known here: {error}."
            say(why_not)
    facts = [{name: fact for name, fact in _facts(run).items() if name != "checkpoint"} for run in runs]
    trainings = [Training(run.name, fact, run.metrics) for run, fact in zip(runs, facts, strict=True)]
    page = build_training_page(trainings, held_out, why_not, datetime.now().astimezone())
    write_atomically(html, page.encode())
    say(f"Page: {html}")


def _facts(run: "RunSummary") -> dict[str, str]:
    """Settings, data and checkpoint as they are read."""
    facts = {**_settings(run.plan), **run.data, "checkpoint": run.checkpoint or "none yet"}
    return {
        key: ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        for key, value in facts.items()
    }


def _differing(facts: list[dict[str, str]]) -> dict[str, list[str]]:
    """Each fact that is not the same everywhere, but for the checkpoint, which never is."""
    names = dict.fromkeys(name for each in facts for name in each if name != "checkpoint")
    rows = {name: [each.get(name, "–") for each in facts] for name in names}
    return {name: values for name, values in rows.items() if len(set(values)) > 1}


def _describe(run: "RunSummary") -> dict[str, Any]:
    """A training in short, as JSON."""
    return {
        "name": run.name,
        "folder": str(run.folder),
        "checkpoint": str(run.checkpoint) if run.checkpoint else None,
        "started_at": run.started_at,
        "updated_at": run.updated_at,
        "epochs_done": len(run.metrics),
        "accuracy": run.metrics[-1]["accuracy"] if run.metrics else None,
        "accuracy_interval": run.metrics[-1]["accuracy_interval"] if run.metrics else None,
        "plan": dataclasses.asdict(run.plan),
        "data": run.data,
    }


def _settings(plan: "TrainingPlan") -> dict[str, Any]:
    """Every setting by its name; those of the network and its input as `model.alpha`."""
    settings: dict[str, Any] = {}
    for key, value in dataclasses.asdict(plan).items():
        settings.update(
            {f"{key}.{field}": item for field, item in value.items()} if isinstance(value, dict) else {key: value}
        )
    return settings


def _accuracy(run: "RunSummary") -> tuple[str, str]:
    if not run.metrics:
        return "–", "–"
    low, high = run.metrics[-1]["accuracy_interval"]
    return f"{run.metrics[-1]['accuracy']:.1%}", f"{low:.1%} to {high:.1%}"


def _table(first: str, numbers: tuple[str, ...]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    for column in numbers:
        table.add_column(column, justify="right")
    return table
