"""`mobisdk sweep`: a grid of trainings, and one table of what they reached."""

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobisdk.cli.console import Json, print_json, say, stderr, stdout
from mobisdk.cli.durations import format_duration
from mobisdk.cli.lists import split_list
from mobisdk.cli.train_options import BatchSize, Epochs, PresetOption, Seed, SkipBroken, StemStride, WidthDivisor
from mobisdk.errors import ConfigError
from mobisdk.specs import ModelSpec

if TYPE_CHECKING:
    from mobisdk.training.sweep import SweepProgress, SweepResult, SweepSpec
    from mobisdk.training.sweep.trial import Executor

_DIGITS = {"resolution": "32", "stem_stride": 1}
"""The scans are small."""


def sweep(
    data: Annotated[
        str | None,
        typer.Option(help="digits, a folder of class folders, or Parquet with images.  [default: digits]"),
    ] = None,
    arch: Annotated[str | None, typer.Option(help="Architecture; a list is a grid.  [default: mobilenet_v1]")] = None,
    alpha: Annotated[
        str | None,
        typer.Option(help="Width multiplier, 0 < α ≤ 2; a list is a grid.  [default: 0.25,0.5,0.75,1.0]"),
    ] = None,
    resolution: Annotated[
        str | None,
        typer.Option(help="Input height and width in pixels; a list is a grid.  [default: 224; for digits 32]"),
    ] = None,
    stem_stride: StemStride = None,
    width_divisor: WidthDivisor = None,
    preset: PresetOption = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    skip_broken: SkipBroken = False,
    processes: Annotated[
        int | None, typer.Option(help="Trials at a time on this machine.  [default: one a core]")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            help="Train on the Ray cluster that this machine is part of: auto or HOST:PORT.", metavar="ADDRESS"
        ),
    ] = None,
    cpus_per_trial: Annotated[float | None, typer.Option(help="What a trial on Ray takes.  [default: 1]")] = None,
    gpus_per_trial: Annotated[
        float | None, typer.Option(help="Likewise; 0.25 packs four on a GPU.  [default: 0]")
    ] = None,
    stop_hopeless: Annotated[
        bool,
        typer.Option("--stop-hopeless", help="Stop early what ASHA would, where a cheaper network is better already."),
    ] = False,
    name: Annotated[str | None, typer.Option(help="Of the sweep's folder.  [default: sweep and the data's]")] = None,
    runs: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs"),
    resume: Annotated[
        str | None, typer.Option(help="Name of a sweep: train what is not trained yet, with its own settings.")
    ] = None,
    json: Json = False,
) -> None:
    """Train a grid of networks.

    Several at a time; what they reached becomes a table that `mobisdk choose --accuracy` reads.
    """
    from mobisdk.training.sweep import resume_sweep
    from mobisdk.training.sweep import sweep as start_sweep
    from mobisdk.training.sweep.driver import read_sweep

    settings = {
        "data": data,
        "arch": arch,
        "alpha": alpha,
        "resolution": resolution,
        "stem_stride": stem_stride,
        "width_divisor": width_divisor,
        "preset": preset,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "skip_broken": skip_broken or None,
    }
    given = {option: value for option, value in settings.items() if value is not None}
    if resume is None:
        spec = _read_spec(given)
    elif clash := sorted([*given, *(["name"] if name else []), *(["stop_hopeless"] if stop_hopeless else [])]):
        raise ConfigError("--resume goes on with the sweep's own settings", got=clash, hint="Leave the others out")
    else:
        spec = read_sweep(runs / resume)[0]
    with _Display() as display, _open_executor(spec, processes, ray, cpus_per_trial, gpus_per_trial) as executor:
        if resume is None:
            result = start_sweep(
                spec, executor, runs=runs, name=name, stop_hopeless=stop_hopeless, on_progress=display.progressed
            )
        else:
            result = resume_sweep(runs / resume, executor, on_progress=display.progressed)
    _show(result, json)


def _read_spec(given: dict[str, Any]) -> "SweepSpec":
    from mobisdk.training import TrainSpec
    from mobisdk.training.sweep import SweepSpec

    usual = _DIGITS if given.get("data", "digits") == "digits" else {}
    values = {**usual, **given}
    archs = split_list("arch", values.pop("arch", "mobilenet_v1"), str)
    alphas = split_list("alpha", values.pop("alpha", "0.25,0.5,0.75,1.0"), float)
    resolutions = split_list("resolution", values.pop("resolution", "224"), int)
    network = {field.name for field in dataclasses.fields(ModelSpec)}
    model = ModelSpec(**{option: value for option, value in values.items() if option in network})
    train = TrainSpec(model, **{option: value for option, value in values.items() if option not in network})
    return SweepSpec(tuple(archs), tuple(alphas), tuple(resolutions), train)


@contextmanager
def _open_executor(
    spec: "SweepSpec", processes: int | None, ray: str | None, cpus: float | None, gpus: float | None
) -> "Iterator[Executor]":
    from mobisdk.training.sweep import LocalPool

    if ray is None:
        if cpus is not None or gpus is not None:
            raise ConfigError(
                "--cpus-per-trial and --gpus-per-trial are of --ray", hint="Give --ray auto, or leave them"
            )
        yield LocalPool(processes)
        return
    if processes is not None:
        raise ConfigError("--processes is of this machine alone", hint="With --ray give --cpus-per-trial")
    from mobisdk.training.sweep.cluster import connect

    for option, value in (("--cpus-per-trial", cpus), ("--gpus-per-trial", gpus)):
        if value is not None and not 0 <= value <= 1024:
            raise ConfigError(f"{option} must be a number", got=value, allowed="0 to 1024")
    # Ray tells of every machine that dies on stdout, which is the result's alone.
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
        connect(ray, spec.train.data, cpus=1.0 if cpus is None else cpus, gpus=gpus or 0.0) as cluster,
    ):
        yield cluster


def _show(result: "SweepResult", json: bool) -> None:
    """Print the table, and what is not in it; exit 1 where a trial failed."""
    failed = [end for end in result.ends.values() if end.status == "failed"]
    stopped = [end for end in result.ends.values() if end.status == "stopped"]
    if json:
        ends = [dataclasses.asdict(end) for end in result.ends.values()]
        document = {"folder": str(result.folder), "table": str(result.table), "rows": result.rows, "trials": ends}
        print_json({"schema": "mobisdk.sweep/1", **document})
    else:
        _print_table(result)
        print(result.table)
    for end in stopped:
        say(f"Stopped early, since a cheaper network was better: {end.trial}")
    for end in failed:
        say(f"Failed: {end.trial}: {end.why}")
    if failed:
        say(f"Try again with: mobisdk sweep --resume {result.folder.name} --runs {result.folder.parent}")
        raise typer.Exit(1)
    say(f"Next: mobisdk choose --device DEVICE --max-latency-ms 10 --accuracy {result.table}")


def _print_table(result: "SweepResult") -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("network", no_wrap=True)
    for column in ("params\nM", "macs\nM", "right\n%", "95 % interval\n%", "epochs", "seconds"):
        table.add_column(column, justify="right")
    for row in result.rows:
        table.add_row(
            f"{row['arch']} {row['alpha']:g} at {row['resolution']}",
            f"{row['params'] / 1e6:.2f}",
            f"{row['macs'] / 1e6:.1f}",
            f"{100 * row['accuracy']:.1f}",
            f"{100 * row['low']:.1f} to {100 * row['high']:.1f}",
            str(row["epochs"]),
            f"{row['seconds']:.0f}",
        )
    stdout().print(table)


class _Display:
    """A bar on a terminal; elsewhere a line when a trial is over."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[said]}"),
            console=stderr(),
            transient=True,
            disable=not stderr().is_terminal,
        )
        self._task = self._bar.add_task("Starting", total=1.0, said="")
        self._estimated = False

    def __enter__(self) -> "_Display":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def progressed(self, now: "SweepProgress") -> None:
        """Move the bar, and tell what is over."""
        from mobisdk.training.sweep.trial import EpochReport, TrialEnd

        left = "" if now.seconds_left is None else f", about {format_duration(now.seconds_left)} left"
        self._bar.update(
            self._task, completed=now.share, description=f"{now.done} of {now.trials} trained", said=left.lstrip(", ")
        )
        match now.event:
            case None:
                self._say(f"{now.trials} trainings, {now.done} of them done already.")
            case EpochReport() if not self._estimated and left and not self._bar.console.is_terminal:
                self._estimated = True
                self._say(f"About {format_duration(now.seconds_left or 0.0)} left.")
            case EpochReport():
                pass
            case TrialEnd(trial, status):
                self._say(f"{now.done}/{now.trials} {trial}: {status}{left}")
            case lost:
                self._say(f"{lost.trial} goes on elsewhere: {lost.why}")

    def _say(self, sentence: str) -> None:
        self._bar.console.print(sentence, markup=False, soft_wrap=True)
