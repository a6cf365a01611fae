"""`mobisdk quickstart`: every station of the loop, once, on this computer."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobisdk.cli.console import Json, print_json, progress, say, stdout
from mobisdk.errors import ParityError
from mobisdk.files import write_atomically
from mobisdk.specs import ModelSpec

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

    from rich.progress import Progress

    from mobisdk.accuracy import Evaluation
    from mobisdk.latency.analysis import AnalysisReport
    from mobisdk.training import TrainedRun, TrainProgress

_GRID = tuple(ModelSpec(alpha=alpha, resolution=128) for alpha in (0.25, 0.5, 0.75, 1.0))
_DIGITS = ModelSpec(alpha=0.25, resolution=32, num_classes=10, stem_stride=1)
_TARGETS = {"android": "Android", "ios": "iOS"}
_PROCESSES = {"android": 2, "ios": 1}
"""Lowering for ExecuTorch takes twice as long."""
_EPOCHS = 10
_RUNS, _SAMPLES, _COLD_STARTS = 5, 30, 1

_OPENING = """\
mobisdk finds the smallest network that meets a phone's budget. This is the whole loop, once, on this computer:
train a MobileNet on scanned digits; export it, and four untrained widths, for Android and iOS; verify, measure,
evaluate and analyze them. It takes about two minutes and leaves everything in one folder.
"""


@dataclass(frozen=True)
class Exported:
    """A bundle that was written and verified; the trained one was evaluated on held-out digits too."""

    target: str
    path: Path
    evaluation: "Evaluation | None"


def quickstart(
    output: Annotated[Path, typer.Option(help="Folder for everything that it makes.")] = Path("quickstart"),
    as_json: Json = False,
) -> None:
    """Do the whole loop, once, on this computer.

    Train, export for both phones, verify, bench, evaluate, analyze; about two minutes.
    """
    started = time.monotonic()
    say(_OPENING)
    output.mkdir(parents=True, exist_ok=True)
    trained, exported = _train_and_export(output)
    report = _bench([made.path for made in exported if made.target == "android"], output)
    seconds = time.monotonic() - started
    if as_json:
        print_json(_document(trained, exported, report, seconds))
    else:
        _print(trained, exported, report, output, seconds)


def _train_and_export(output: Path) -> tuple["TrainedRun", list[Exported]]:
    """Train here, while other processes export and verify the untrained grid, and the trained network last."""
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(progress())
        training = bar.add_task("Training on digits", total=None)
        tasks = {
            target: bar.add_task(f"Exporting and verifying for {name}", total=len(_GRID) + 1)
            for target, name in _TARGETS.items()
        }
        workers = {target: stack.enter_context(_workers(_PROCESSES[target])) for target in _TARGETS}
        jobs = [
            worker.submit(_export, target, spec, None, output) for spec in _GRID for target, worker in workers.items()
        ]
        for job in jobs:
            job.add_done_callback(lambda done: _advance(bar, tasks, done))
        _use_one_thread()
        trained = _train(output / "runs", bar, training)
        for target, worker in workers.items():
            job = worker.submit(_export, target, trained.model, trained.checkpoint, output)
            job.add_done_callback(lambda done: _advance(bar, tasks, done))
            jobs.append(job)
        return trained, [job.result() for job in jobs]


@contextlib.contextmanager
def _workers(processes: int) -> Iterator["ProcessPoolExecutor"]:
    """Processes that import one toolchain once; what they have not begun is dropped when something fails."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    executor = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _use_one_thread)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _use_one_thread() -> None:
    """Several processes share this computer; pools of threads that wait for each other would cost most of it."""
    import torch

    torch.set_num_threads(1)


def _export(target: str, spec: ModelSpec, checkpoint: Path | None, output: Path) -> Exported:
    """Make one bundle, read it again as a stranger would, and evaluate it if it was trained; runs in a worker.

    Raises:
        ParityError: the bundle does not verify.
    """
    from mobiconvert import find_recipe
    from mobisdk.cli.evaluate import Split, describe_evaluation, evaluate_bundle
    from mobisdk.cli.networks import convert_network, create_untrained_network, load_trained_network
    from mobisdk.cli.verify import verify_bundle
    from mobisdk.data import open_dataset

    network = load_trained_network(checkpoint, asdict(spec)) if checkpoint else create_untrained_network(spec)
    bundle = convert_network(network, find_recipe(None, target), output / "bundles")
    for check in verify_bundle(bundle.path):
        if check.ok is False:
            raise ParityError(f"{bundle.name} does not verify: {check.name}: {check.found}")
    if checkpoint is None:
        return Exported(target, bundle.path, None)
    digits = open_dataset("digits")
    evaluation = evaluate_bundle(bundle, digits)
    document = json.dumps(describe_evaluation(evaluation, bundle, digits, Split.TEST), indent=2)
    write_atomically(output / f"evaluation-{target}.json", document.encode())
    return Exported(target, bundle.path, evaluation)


def _advance(bar: "Progress", tasks: Mapping[str, Any], job: "Future[Exported]") -> None:
    if not job.cancelled() and job.exception() is None:
        bar.advance(tasks[job.result().target])


def _train(runs: Path, bar: "Progress", task: Any) -> "TrainedRun":
    from mobisdk.training import TrainSpec, train

    def show(now: "TrainProgress") -> None:
        accuracy = "" if now.accuracy is None else f", {now.accuracy:.1%} of held-out digits right"
        bar.update(
            task,
            description=f"Training on digits, {now.images_per_second:.0f} images/s{accuracy}",
            total=now.epochs * now.steps,
            completed=(now.epoch - 1) * now.steps + now.step,
        )

    return train(TrainSpec(_DIGITS, data="digits", epochs=_EPOCHS), runs=runs, on_progress=show)


def _bench(bundles: Sequence[Path], output: Path) -> "AnalysisReport":
    """Measure the bundles that run here, and write the report."""
    from mobiconvert import load_classifier
    from mobiconvert.executorch.runtime import set_threads
    from mobisdk.bundle import read_bundle
    from mobisdk.cli.analyze import write_html
    from mobisdk.cli.bench import run_with_progress
    from mobisdk.devices.bench_config import BenchConfig
    from mobisdk.devices.host import read_cores
    from mobisdk.devices.runner import BenchmarkRunner
    from mobisdk.latency.in_memory import analyze_runs
    from mobisdk.latency.store import read_logs
    from mobisdk.report.accuracy import read_accuracies
    from mobisdk.report.html import Beside

    threads = read_cores().best_threads
    set_threads(threads)
    config = BenchConfig(threads=threads, runs=_RUNS, samples=_SAMPLES, cold_starts=_COLD_STARTS)
    log = output / "latency.jsonl"
    run_with_progress(BenchmarkRunner(load_classifier, config), [read_bundle(path) for path in bundles], log)
    runs = read_logs([log])
    report = analyze_runs(runs)
    beside = Beside(read_accuracies([output / "evaluation-android.json"]))
    write_html(output / "report.html", report, runs, beside)
    return report


def _print(
    trained: "TrainedRun", exported: Sequence[Exported], report: "AnalysisReport", output: Path, seconds: float
) -> None:
    from mobisdk.report.summary import explain
    from mobisdk.report.table import build_tables

    stdout().print(f"[bold]{len(exported)} bundles[/], each verified by running it, in {output / 'bundles'}", "")
    for table in build_tables(report):
        stdout().print(table, "")
    for sentence in (*explain(report), *_compare_widths(report), *_say_accuracy(trained, exported)):
        stdout().print(sentence, markup=False)
    stdout().print(f"\nThe whole loop took {seconds:.0f} s. The report, with charts: {output / 'report.html'}\nNext:")
    for command in (
        f"mobisdk evaluate {exported[-1].path} --data digits",
        "mobisdk export --target ios --alpha 0.75",
        "mobisdk train --data digits --alpha 0.5 --resolution 32 --stem-stride 1",
    ):
        stdout().print(f"  {command}", markup=False, soft_wrap=True)


def _compare_widths(report: "AnalysisReport") -> Iterator[str]:
    """Say what half the width saves."""
    medians = {
        group.bundle.alpha: warm.p50.value_ns
        for group in report.groups
        for warm in group.warm
        if group.bundle.resolution == _GRID[0].resolution and warm.p50 is not None
    }
    if 0.5 in medians and 1.0 in medians:
        yield f"At {_GRID[0].resolution} pixels α = 0.5 costs {medians[1.0] / medians[0.5]:.1f} × less than 1.0 here."


def _say_accuracy(trained: "TrainedRun", exported: Sequence[Exported]) -> Iterator[str]:
    low, high = trained.accuracy_interval
    yield (
        f"The network that was trained names {trained.accuracy:.1%} [{low:.1%}, {high:.1%}] of {trained.tested} digits "
        "right that it had never seen."
    )
    for made in exported:
        if made.evaluation is not None:
            equal = "the same" if made.evaluation.correct == trained.correct else f"{made.evaluation.accuracy:.1%}"
            yield f"Its {_TARGETS[made.target]} bundle, run as it is: {equal}."


def _document(
    trained: "TrainedRun", exported: Sequence[Exported], report: "AnalysisReport", seconds: float
) -> dict[str, Any]:
    from mobisdk.report.document import to_document

    return {
        "seconds": round(seconds, 1),
        "trained": {"run": str(trained.folder), "accuracy": trained.accuracy, "images": trained.tested},
        "bundles": [
            {
                "path": str(made.path),
                "target": made.target,
                "accuracy": made.evaluation.accuracy if made.evaluation else None,
            }
            for made in exported
        ],
        "analysis": to_document(report),
    }
