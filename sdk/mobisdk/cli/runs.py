"""`mobisdk runs`: what was trained here, and how well."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobisdk.cli.console import Json, print_json, say, stdout

if TYPE_CHECKING:
    from rich.table import Table

    from mobisdk.training import RunSummary
    from mobisdk.training.plan import TrainingPlan

runs_app = typer.Typer(
    name="runs", help="What was trained here, and how well.", no_args_is_help=True, rich_markup_mode=None
)

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
    json: Json = False,
) -> None:
    """One training: its settings, its data, and every epoch."""
    from mobisdk.training import read_run

    run = read_run(runs / name)
    if json:
        return print_json({**_describe(run), "versions": run.versions, "metrics": run.metrics})
    settings = _table("setting", ())
    settings.add_column(run.name, overflow="fold")
    for key, value in {**_settings(run.plan), **run.data, "checkpoint": run.checkpoint or "none yet"}.items():
        settings.add_row(key, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
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
    return stdout().print(epochs)


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
