"""`mobisdk bench`: bundles run on this computer, into the same latency log that a phone writes."""

import contextlib
import enum
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobisdk.cli.bundles import open_bundle
from mobisdk.cli.console import Json, print_json, progress, say, stdout
from mobisdk.errors import ConfigError, DataError, UnsupportedError

if TYPE_CHECKING:
    from mobisdk.bundle import Bundle
    from mobisdk.devices.runner import BenchmarkRunner
    from mobisdk.latency.record import LatencyRun

_RUNS = {"burst": 10, "sustained": 1}


class BenchMode(enum.StrEnum):
    """What a run is."""

    BURST = "burst"
    SUSTAINED = "sustained"
    COLD = "cold"


def bench(
    bundles: Annotated[list[Path], typer.Argument(help="Folders of bundles, or the same zipped.", show_default=False)],
    log: Annotated[Path, typer.Option(help="Runs are added to this file.")] = Path("latency.jsonl"),
    mode: Annotated[
        BenchMode, typer.Option(help="burst: runs of --samples; sustained: of --seconds; cold: this very process.")
    ] = BenchMode.BURST,
    runs: Annotated[int | None, typer.Option(help="Runs of each bundle.  [default: 10, sustained 1]")] = None,
    samples: Annotated[int, typer.Option(help="Samples of a burst run, after warming up.")] = 50,
    seconds: Annotated[float, typer.Option(help="Length of a sustained run.")] = 60.0,
    cold_starts: Annotated[int, typer.Option(help="Starts of each bundle in a process of its own.")] = 3,
    threads: Annotated[
        str | None,
        typer.Option(help="Threads of the runtime, or auto: try.  [default: the physical cores of this computer]"),
    ] = None,
    json: Json = False,
) -> None:
    """Measure bundles on this computer.

    In turns, so that all share its moods; every sample is added to a latency log.
    """
    from mobisdk.devices.bench_config import BenchConfig
    from mobisdk.devices.host import read_cores
    from mobisdk.devices.runner import BenchmarkRunner

    config = BenchConfig(
        threads=read_cores().best_threads if threads in (None, "auto") else _read_threads(threads),
        mode="sustained" if mode is BenchMode.SUSTAINED else "burst",
        runs=_RUNS.get(mode, 1) if runs is None else runs,
        samples=samples,
        seconds=seconds,
        cold_starts=cold_starts,
    )
    _check_log(log)
    if mode is BenchMode.COLD and len(bundles) != 1:
        raise ConfigError(
            "--mode cold loads one bundle in this very process",
            got=len(bundles),
            hint="Without it, every bundle is started cold --cold-starts times, each in a process of its own",
        )
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(open_bundle(path)) for path in bundles]
        for bundle in opened:
            _refuse_core_ml(bundle)
        from mobiconvert import load_classifier
        from mobiconvert.executorch.runtime import set_threads

        if threads == "auto":
            config = replace(config, threads=_find_threads(opened[0]))
        set_threads(config.threads)
        runner = BenchmarkRunner(load_classifier, config)
        if mode is BenchMode.COLD:
            measured = list(_logged([runner.run_cold(opened[0])], log))
        else:
            measured = run_with_progress(runner, opened, log)
    _report(measured, log, json)


def _read_threads(text: str | None) -> int:
    if text is None or not text.isdecimal():
        raise ConfigError("--threads must be a whole number, or auto", got=text, allowed="1 to 1024, auto")
    return int(text)


def _find_threads(bundle: "Bundle") -> int:
    """Try thread counts on one bundle; these runs are not logged."""
    from mobiconvert import load_classifier
    from mobiconvert.executorch.runtime import set_threads
    from mobisdk.devices.bench_config import BenchConfig
    from mobisdk.devices.host import read_cores
    from mobisdk.devices.runner import BenchmarkRunner
    from mobisdk.devices.thread_count import find_fastest, list_thread_counts

    def measure(count: int) -> list["LatencyRun"]:
        set_threads(count)
        return list(
            BenchmarkRunner(load_classifier, BenchConfig(count, runs=3, samples=20, cold_starts=0)).run([bundle])
        )

    fastest, medians = find_fastest(list_thread_counts(read_cores().logical), measure)
    told = ", ".join(f"{count}: {median / 1e6:.3g} ms" for count, median in medians.items())
    say(f"Threads: {fastest} are fastest for {bundle.name} ({told})." if fastest > 1 else f"Threads: 1 ({told}).")
    return fastest


def _check_log(log: Path) -> None:
    """Refuse before minutes of measuring what could not be written after them."""
    existed = os.path.lexists(log)
    try:
        with log.open("ab"):
            pass
    except OSError as exc:
        raise ConfigError(
            f"--log cannot be written: {exc.strerror}", got=str(log), hint="Name a file in a folder of yours"
        ) from exc
    if not existed:
        log.unlink()


def _refuse_core_ml(bundle: "Bundle") -> None:
    if bundle.target.runtime == "coreml":
        raise UnsupportedError(
            f"{bundle.name} is timed on an iPhone or a Mac, by the app: Core ML runs nowhere else",
            hint=f"`mobisdk verify {bundle.path}` checks it here",
        )


def run_with_progress(runner: "BenchmarkRunner", bundles: Sequence["Bundle"], log: Path) -> list["LatencyRun"]:
    """Measure the bundles with a progress bar; each run is in the log before the next one starts."""
    bar = progress()
    bar.live.auto_refresh = False  # its thread would take time from the samples: it is drawn between them
    measured: list[LatencyRun] = []
    try:
        with bar:
            task = bar.add_task("Measuring", total=runner.count_runs(bundles))
            runner = replace(runner, on_progress=lambda done: bar.update(task, completed=done, refresh=True))
            measured.extend(_logged(runner.run(bundles), log))
    except KeyboardInterrupt:
        say(f"{len(measured)} whole run{'' if len(measured) == 1 else 's'} went into {log}.")
        raise
    return measured


def _logged(runs: Iterable["LatencyRun"], log: Path) -> Iterator["LatencyRun"]:
    """Pass `runs` on, each when it is on disk."""
    from mobisdk.latency.log import append_run

    for run in runs:
        try:
            append_run(log, run)
        except OSError as exc:
            raise DataError(
                f"a run cannot be written: {exc.strerror}", got=str(log), hint="The runs before it are whole"
            ) from exc
        yield run


def _report(measured: Sequence["LatencyRun"], log: Path, json: bool) -> None:
    """Show these runs the way `analyze` shows a log."""
    from mobisdk.latency.in_memory import analyze_runs
    from mobisdk.latency.store import collect_runs

    report = analyze_runs(collect_runs((log,), measured))
    if json:
        from mobisdk.report.document import to_document

        print_json({"log": str(log)} | to_document(report))
        return
    from mobisdk.report.table import build_tables

    for table in build_tables(report):
        stdout().print(table)
    say(f"Next: mobisdk analyze {log}")
