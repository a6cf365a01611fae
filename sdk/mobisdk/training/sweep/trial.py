"""One trial, wherever it runs: trained from the start, or from the last whole epoch that lies in its folder."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from mobisdk.errors import MobiError
from mobisdk.training.progress import TrainProgress
from mobisdk.training.runs import SPEC
from mobisdk.training.session import resume, train
from mobisdk.training.sweep.spec import Trial

MOST_LOSSES = 3
"""How often a trial is begun again after its process died; after that it is the trial's fault."""


@dataclass(frozen=True)
class EpochReport:
    """An epoch is whole, and its files are written."""

    trial: str
    epoch: int
    """From 1."""
    epochs: int
    accuracy: float
    seconds: float
    """Since the epoch's first step."""


@dataclass(frozen=True)
class TrialLost:
    """The process of a trial died; it goes on elsewhere, from its last whole epoch."""

    trial: str
    why: str


@dataclass(frozen=True)
class TrialEnd:
    """A trial is over."""

    trial: str
    status: Literal["finished", "stopped", "failed"]
    """`stopped`: it was hopeless."""
    why: str | None = None


TrialEvent: TypeAlias = EpochReport | TrialLost | TrialEnd
KeepOn: TypeAlias = Callable[[EpochReport], bool]
"""Whether a trial is worth another epoch."""


class Executor(Protocol):
    """Something that trains several trials at a time."""

    def train(self, trials: Sequence[Trial], runs: Path, keep_on: KeepOn) -> Iterator[TrialEvent]:
        """Train them into `runs`, and tell how it goes; each ends with a TrialEnd.

        Closing the iterator stops the trials that run; what is in `runs` is whole.
        """


class _HopelessError(Exception):
    pass


def run_trial(trial: Trial, runs: Path, keep_on: KeepOn) -> TrialEnd:
    """Train `trial` in this process; a MobiError or a full disk ends this trial alone."""

    began: float | None = None

    def watch(now: TrainProgress) -> None:
        nonlocal began
        began = began or time.perf_counter()
        if now.epoch_done and now.accuracy is not None:
            seconds, began = time.perf_counter() - began, None
            goes_on = keep_on(EpochReport(trial.name, now.epoch, now.epochs, now.accuracy, seconds))
            if not goes_on and now.epoch < now.epochs:
                raise _HopelessError

    folder = runs / trial.name
    try:
        if (folder / SPEC).exists():
            resume(folder, on_progress=watch)
        else:
            train(trial.spec, runs=runs, name=trial.name, on_progress=watch)
    except _HopelessError:
        return TrialEnd(trial.name, "stopped")
    except MobiError as error:
        return TrialEnd(trial.name, "failed", str(error))
    except OSError as error:
        return TrialEnd(trial.name, "failed", f"{error.strerror or error}: {error.filename or 'no file is named'}")
    return TrialEnd(trial.name, "finished")
