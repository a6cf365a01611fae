"""A sweep from its grid to its table; what is done stays done, however it ends.

runs/<name>/sweep.json      the grid, the data, and what became of each trial
            sweep.csv       one row a finished trial
runs/<name>-<network>/      each trial is a run like any other
"""

import dataclasses
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from mobisdk.data import open_dataset
from mobisdk.data.open import DIGITS
from mobisdk.errors import DataError
from mobisdk.files import folder_atomically, write_atomically
from mobisdk.training.accuracy_table import build_row, write_accuracy_table
from mobisdk.training.documents import format_document, read_document, tell_now
from mobisdk.training.names import check_name, free_name
from mobisdk.training.runs import SPEC, RunSummary, read_run
from mobisdk.training.sweep.hopeless import Judge
from mobisdk.training.sweep.spec import SweepSpec, Trial, sweep_from_dict
from mobisdk.training.sweep.trial import EpochReport, Executor, TrialEnd, TrialEvent

SCHEMA = "mobisdk.sweep/1"
DOCUMENT, TABLE = "sweep.json", "sweep.csv"


@dataclasses.dataclass(frozen=True)
class SweepProgress:
    """Sent at the start and after every event."""

    event: TrialEvent | None
    done: int
    """Trials that are over."""
    trials: int
    share: float
    """Of the work, by multiply-adds and epochs."""
    seconds_left: float | None
    """None until an epoch is whole."""


@dataclasses.dataclass(frozen=True)
class SweepResult:
    """A sweep that is over."""

    folder: Path
    table: Path
    rows: tuple[dict[str, Any], ...]
    """One a finished trial, the cheapest network first; the keys are the table's columns."""
    ends: Mapping[str, TrialEnd]
    """What became of each trial."""


OnProgress = Callable[[SweepProgress], None]


def sweep(
    spec: SweepSpec,
    executor: Executor,
    *,
    runs: Path,
    name: str | None = None,
    stop_hopeless: bool = False,
    on_progress: OnProgress | None = None,
) -> SweepResult:
    """Train every network of the grid, and keep the table in `runs/name`.

    Raises:
        ConfigError: the name is taken or cannot be a folder's, or a network cannot be built.
        DataError: the data cannot be trained with.
        UnsupportedError: hopeless trials cannot be found here.
        OSError: the disk is full, or `runs` cannot be written.
    """
    if spec.train.data != DIGITS:  # trials on other machines have other working directories
        data = str(Path(spec.train.data).resolve())
        spec = dataclasses.replace(spec, train=dataclasses.replace(spec.train, data=data))
    if name is None:
        name = free_name(runs, "sweep", spec.train.data)
    check_name(runs, name)
    dataset = open_dataset(spec.train.data)
    trials = spec.plan_trials(name, len(dataset.classes))
    for trial in trials:
        check_name(runs, trial.name)
    judge = Judge(trials) if stop_hopeless else None
    runs.mkdir(parents=True, exist_ok=True)
    document = {
        "schema": SCHEMA,
        "started_at": tell_now(),
        "spec": dataclasses.asdict(spec),
        "stop_hopeless": stop_hopeless,
        "data": {"sha256": dataset.sha256, "classes": len(dataset.classes)},
        "trials": {},
    }
    with folder_atomically(runs / name) as partial:
        (partial / DOCUMENT).write_text(format_document(document), encoding="utf-8")
    return _Sweep(runs / name, document, trials, judge, on_progress).run(executor)


def read_sweep(folder: Path) -> tuple[SweepSpec, dict[str, Any]]:
    """The grid of a sweep, and its whole document.

    Raises:
        DataError: there is none, or its file is damaged.
    """
    path = folder / DOCUMENT
    if not path.exists():
        raise DataError("there is no such sweep", got=str(folder), hint="Start one with `mobisdk sweep --alpha …`")
    return read_document(path, SCHEMA, "sweep", lambda document: (sweep_from_dict(document["spec"]), document))


def resume_sweep(folder: Path, executor: Executor, *, on_progress: OnProgress | None = None) -> SweepResult:
    """Train what is not trained yet; a trial that was under way goes on, one that failed is tried again.

    Raises:
        DataError: there is no such sweep, its file is damaged, or its data has changed.
        UnsupportedError: hopeless trials cannot be found here.
        OSError: the disk is full, or the folder cannot be written.
    """
    spec, document = read_sweep(folder)
    dataset = open_dataset(spec.train.data)
    if dataset.sha256 != document["data"]["sha256"]:
        raise DataError(
            "the data has changed since the sweep started", got=spec.train.data, hint="Restore it, or start a new sweep"
        )
    trials = spec.plan_trials(folder.name, len(dataset.classes))
    judge = Judge(trials) if document["stop_hopeless"] else None
    return _Sweep(folder, document, trials, judge, on_progress).run(executor)


class _Sweep:
    """What is known of a sweep while it runs."""

    def __init__(
        self,
        folder: Path,
        document: dict[str, Any],
        trials: tuple[Trial, ...],
        judge: Judge | None,
        on_progress: OnProgress | None,
    ) -> None:
        self._folder, self._document, self._judge, self._on_progress = folder, document, judge, on_progress
        self._trials = {trial.name: trial for trial in trials}
        self._runs = folder.parent
        self._ends: dict[str, TrialEnd] = {}
        self._rows: dict[str, dict[str, Any]] = {}
        """The table's, of trials that are finished."""
        self._epochs: dict[str, tuple[int, int]] = {}
        """Epochs that are whole, and epochs in all, of each trial that has begun."""
        self._read_what_is_done()
        self._start: float | None = None
        """When the first step was made: starting a process is no measure of what a training takes."""
        self._work_before = self._work_done()

    def run(self, executor: Executor) -> SweepResult:
        """Train what is left."""
        # The longest first leaves no process alone at the end; who compares with cheaper networks needs those first.
        left = sorted(
            (trial for name, trial in self._trials.items() if name not in self._ends),
            key=lambda trial: trial.macs,
            reverse=self._judge is None,
        )
        self._tell(None)
        with closing(executor.train(left, self._runs, self._keep_on)) as events:  # type: ignore[type-var]
            for event in events:
                if isinstance(event, EpochReport):
                    self._epochs[event.trial] = event.epoch, event.epochs
                    self._start = self._start or time.perf_counter() - event.seconds
                elif isinstance(event, TrialEnd):
                    self._end(event)
                self._tell(event)
        rows = self._write()
        return SweepResult(self._folder, self._folder / TABLE, tuple(rows), self._ends)

    def _keep_on(self, report: EpochReport) -> bool:
        return self._judge is None or self._judge.keep_on(report)

    def _read_what_is_done(self) -> None:
        for name in self._trials:
            if not (self._runs / name / SPEC).exists():
                continue
            run = read_run(self._runs / name)
            self._epochs[name] = len(run.metrics), run.plan.epochs
            for line in run.metrics:
                self._keep_on(EpochReport(name, line["epoch"], run.plan.epochs, line["accuracy"], line["seconds"]))
            if run.is_finished:
                self._finish(run)
            elif self._document["trials"].get(name, {}).get("status") == "stopped":
                self._ends[name] = TrialEnd(name, "stopped")

    def _end(self, end: TrialEnd) -> None:
        self._ends[end.trial] = end
        if end.status == "finished":
            run = read_run(self._runs / end.trial)
            if run.data["sha256"] == self._document["data"]["sha256"]:
                self._finish(run)
            else:
                why = "it was trained on other data: what lies there has changed"
                self._ends[end.trial] = TrialEnd(end.trial, "failed", why)
        self._write()

    def _finish(self, run: RunSummary) -> None:
        self._ends[run.name] = TrialEnd(run.name, "finished")
        trial, line = self._trials[run.name], run.metrics[-1]
        self._rows[run.name] = build_row(
            run.plan.model, line, run.metrics, run.name, params=trial.params, macs=trial.macs
        )

    def _write(self) -> list[dict[str, Any]]:
        self._document["trials"] = {
            name: {"status": end.status, "why": end.why} for name, end in sorted(self._ends.items())
        }
        write_atomically(self._folder / DOCUMENT, format_document(self._document).encode())
        rows = sorted(self._rows.values(), key=lambda row: row["macs"])
        # A trial that failed, or was stopped early, is in sweep.json alone: its accuracy is not known.
        write_accuracy_table(self._folder / TABLE, rows)
        return rows

    def _tell(self, event: TrialEvent | None) -> None:
        if self._on_progress is None:
            return
        work, done = self._work(), self._work_done()
        gained = done - self._work_before
        left = (time.perf_counter() - self._start) / gained * (work - done) if self._start and gained else None
        self._on_progress(SweepProgress(event, len(self._ends), len(self._trials), done / work, left))

    def _work(self) -> float:
        """In multiply-adds of an image times epochs."""
        return sum(trial.macs * self._epochs_in_all(name) for name, trial in self._trials.items())

    def _work_done(self) -> float:
        return sum(
            trial.macs * (self._epochs_in_all(name) if name in self._ends else self._epochs.get(name, (0, 0))[0])
            for name, trial in self._trials.items()
        )

    def _epochs_in_all(self, trial: str) -> int:
        """Those that have not begun are taken to have as many epochs as the others."""
        usual = max((epochs for _, epochs in self._epochs.values()), default=1)
        return self._epochs.get(trial, (0, usual))[1]
