"""Several processes on this machine, each training one trial after the other."""

import contextlib
import multiprocessing
import signal
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any

from mobisdk.errors import ConfigError
from mobisdk.training.processes import count_cores
from mobisdk.training.sweep.spec import Trial
from mobisdk.training.sweep.trial import MOST_LOSSES, EpochReport, KeepOn, TrialEnd, TrialEvent, TrialLost, run_trial

_SECONDS_TO_STOP = 60
"""Until a process that was told to stop is killed: writing a checkpoint takes less."""


@dataclass(frozen=True)
class LocalPool:
    """A process pool. `processes` None: one a core.

    Raises:
        ConfigError: there are not so many cores.
    """

    processes: int | None = None

    def __post_init__(self) -> None:
        """Refuse processes that could only wait for each other."""
        if self.processes is not None and not 1 <= self.processes <= count_cores():
            raise ConfigError("a process needs a core", got=self.processes, allowed=f"1 to {count_cores()}")

    def train(self, trials: Sequence[Trial], runs: Path, keep_on: KeepOn) -> Iterator[TrialEvent]:
        """Train `trials` in their order, as many at a time as there are processes, cores divided fairly among them."""
        if not trials:
            return
        processes = min(self.processes or count_cores(), len(trials))
        context = multiprocessing.get_context("spawn")
        threads = max(1, count_cores() // processes)
        waiting, losses = deque(trials), Counter[str]()
        workers: list[_Worker] = []
        try:
            while waiting or any(worker.trial for worker in workers):
                while waiting and (worker := _find_idle(workers, processes, context, runs, threads)):
                    worker.begin(waiting.popleft())
                busy = {worker.connection: worker for worker in workers if worker.trial}
                for connection in wait(list(busy)):
                    worker = busy[connection]  # type: ignore[index]
                    trial = worker.trial
                    assert trial is not None  # noqa: S101, for mypy
                    try:
                        event: TrialEvent = worker.connection.recv()
                    except (EOFError, ConnectionResetError):
                        workers.remove(worker)
                        losses[trial.name] += 1
                        why = worker.explain_death()
                        if losses[trial.name] < MOST_LOSSES:
                            waiting.appendleft(trial)
                            event = TrialLost(trial.name, why)
                        else:
                            event = TrialEnd(trial.name, "failed", why)
                    if isinstance(event, EpochReport):
                        worker.connection.send(keep_on(event))
                    if isinstance(event, TrialEnd):
                        worker.trial = None
                    yield event
        finally:
            _stop(workers)


class _Worker:
    """A process, and the trial that it trains."""

    def __init__(self, context: SpawnContext, runs: Path, threads: int) -> None:
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, runs, threads))
        self.process.start()
        theirs.close()
        self.trial: Trial | None = None

    def begin(self, trial: Trial) -> None:
        """Have it trained."""
        self.trial = trial
        self.connection.send(trial)

    def explain_death(self) -> str:
        """Say what ended the process."""
        self.connection.close()
        self.process.join()
        status = self.process.exitcode or 0
        if status == -signal.SIGKILL:
            return "its process was killed: perhaps memory ran out, and fewer --processes would do"
        return f"its process ended with {f'signal {-status}' if status < 0 else f'status {status}'}"


def _find_idle(
    workers: "list[_Worker]", most: int, context: SpawnContext, runs: Path, threads: int
) -> "_Worker | None":
    idle = next((worker for worker in workers if worker.trial is None), None)
    if idle is None and len(workers) < most:
        idle = _Worker(context, runs, threads)
        workers.append(idle)
    return idle


def _stop(workers: "Sequence[_Worker]") -> None:
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(_SECONDS_TO_STOP)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.connection.close()


def _work(connection: "Connection[Any, Any]", runs: Path, threads: int) -> None:
    """Train what comes, until told to stop; a parent that is gone closes the connection."""
    # Ctrl-C reaches every process of a terminal; the parent alone says what becomes of the trials.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    with contextlib.suppress(KeyboardInterrupt, EOFError, BrokenPipeError):
        import torch

        torch.set_num_threads(threads)

        def keep_on(report: EpochReport) -> bool:
            connection.send(report)
            return bool(connection.recv())

        while True:
            connection.send(run_trial(connection.recv(), runs, keep_on))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
