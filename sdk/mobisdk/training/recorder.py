"""What a training leaves behind after every epoch, and what it tells on the way."""

import dataclasses
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from mobisdk.accuracy import wilson_interval
from mobisdk.files import write_atomically
from mobisdk.models.checkpoint import Checkpoint, save_checkpoint
from mobisdk.training.accuracy_table import build_width_rows, write_accuracy_table
from mobisdk.training.classification import Classification
from mobisdk.training.documents import tell_now
from mobisdk.training.plan import TrainingPlan
from mobisdk.training.processes import check_same, is_first
from mobisdk.training.progress import TrainProgress
from mobisdk.training.runs import CHECKPOINT, METRICS, STATE, WIDTHS
from mobisdk.training.width_accuracy import MeasureWidths

_SECONDS_UNSAVED = 600
_STEPS_TO_AGREE = 16
"""Asking the other processes makes a GPU wait."""
_TERMINATED = 128 + signal.SIGTERM


class Recorder(Callback):
    """Writes checkpoint, metrics and state, each of them whole, and the state last.

    A training that is cut off between them repeats that epoch when it is resumed, with the same result. In a long epoch
    the state is also written every few minutes, and at once when the process is told to end.
    """

    def __init__(
        self,
        folder: Path,
        plan: TrainingPlan,
        labels: tuple[str, ...],
        compression: Sequence[dict[str, Any]],
        module: Classification,
        on_progress: Callable[[TrainProgress], None] | None,
        measure_widths: MeasureWidths | None,
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._labels = labels
        self._compression = compression
        self._module = module
        self._on_progress = on_progress
        self._measure_widths = measure_widths
        self._metrics: list[dict[str, Any]] = []
        self._epochs = plan.epochs
        """The plan's, or fewer where they would not end in its time."""
        self._session_start = self._epoch_start = 0.0
        self._trained_seconds = 0.0
        """Of this epoch, without its test."""
        self._steps = 0
        self._session_work = 0.0
        """In epochs at full resolution."""
        self._saved_at = 0.0
        self._heard = False
        """SIGTERM came to this process."""
        self._told_to_end = False
        """It came to one of the processes, as all of them know."""
        self._is_first = is_first()
        """Only the first process writes and tells."""

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """One object an epoch, the same in every process."""
        return self._metrics

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Refuse processes that were told different things.

        Raises:
            DataError: they were.
        """
        plan = {name: value for name, value in dataclasses.asdict(self._plan).items() if name != "data"}
        state = (self._folder / STATE).stat().st_size if (self._folder / STATE).exists() else None
        check_same({"the settings": plan, "the data": self._module.describe_data(), "the state to go on from": state})

    def state_dict(self) -> dict[str, Any]:
        """What was measured so far is part of the state."""
        return {
            "metrics": self._metrics,
            "epochs": self._epochs,
            "course": self._module.course.state_dict(),
            "steps": self._steps,
            "loss_sum": self._module.loss_sum,
            "seconds": self._trained_seconds,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what belongs to the state."""
        self._metrics = state_dict["metrics"]
        self._epochs = state_dict["epochs"]
        self._module.course.load_state_dict(state_dict["course"])
        self._steps = state_dict["steps"]
        self._module.loss_sum = state_dict["loss_sum"]
        self._trained_seconds = state_dict["seconds"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Start the clock, and let SIGTERM end the training where its state can be written.

        That is after a step, or where images are being tested on, when their epoch is recorded. A second signal ends it
        at once. Lightning puts back what handled the signal before.
        """
        if threading.current_thread() is threading.main_thread():  # signals are its alone
            signal.signal(signal.SIGTERM, self._hear)
        trainer.fit_loop.max_epochs = self._epochs
        self._session_start = self._saved_at = time.perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Start the epoch's clock, from what it took before it was resumed in its middle."""
        self._epoch_start = time.perf_counter() - self._trained_seconds

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Tell how far it is."""
        self._trained_seconds = time.perf_counter() - self._epoch_start
        self._steps += 1
        self._session_work += self._work(trainer.current_epoch) / len(self._module.batches)
        if self._on_progress is not None and self._is_first:
            self._on_progress(self._progress(trainer.current_epoch, epoch_done=False))
        is_due = time.perf_counter() - self._saved_at > _SECONDS_UNSAVED
        if self._steps % (1 if self._plan.device == "cpu" else _STEPS_TO_AGREE) == 0:
            # Every process must save at the same step.
            self._told_to_end = trainer.strategy.reduce_boolean_decision(self._heard, all=False)
            is_due = trainer.strategy.reduce_boolean_decision(is_due, all=False)
        elif trainer.world_size > 1:
            return
        if (self._told_to_end or is_due) and self._steps < len(self._module.batches):
            self._module.read_losses()
            self._save_state(trainer)
            self._leave_if_told()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Write what there is now."""
        self._metrics.append(self._measure(trainer))
        self._keep_in_time(trainer)
        self._metrics[-1]["epochs"] = self._epochs
        progress = self._progress(trainer.current_epoch, epoch_done=True)
        if self._is_first:
            save_checkpoint(self._folder / CHECKPOINT, self._describe(), self._module.result.state_dict())
            if "widths" in self._metrics[-1]:
                rows = build_width_rows(self._plan.model, self._metrics, self._folder.name)
                write_accuracy_table(self._folder / WIDTHS, rows)
            lines = "".join(f"{json.dumps(line)}\n" for line in self._metrics)
            write_atomically(self._folder / METRICS, lines.encode())
        self._steps, self._module.loss_sum, self._trained_seconds = 0, 0.0, 0.0  # the next epoch's
        self._save_state(trainer)
        if self._on_progress is not None and self._is_first:
            self._on_progress(progress)
        self._told_to_end = trainer.strategy.reduce_boolean_decision(self._heard, all=False)
        self._leave_if_told()

    def _keep_in_time(self, trainer: Trainer) -> None:
        """Leave out the epochs that would not end in the plan's time, and spread the schedule over those that stay."""
        if self._plan.seconds is None:
            return
        done = trainer.current_epoch + 1
        left = self._plan.seconds - sum(line["seconds"] for line in self._metrics)
        a_unit = self._metrics[-1]["seconds"] / self._work(done - 1)
        fitting = self._epochs - done
        while fitting > 1 and a_unit * sum(map(self._work, range(done, done + fitting))) > left:
            fitting -= 1
        if done + fitting < self._epochs:
            self._epochs = trainer.fit_loop.max_epochs = done + fitting
            self._module.course.end_at(trainer.global_step, self._epochs * len(self._module.batches))

    def _work(self, epoch: int) -> float:
        """How much longer an epoch takes than one at full resolution."""
        is_small = epoch < self._plan.small_epochs
        return (self._plan.small_resolution / self._plan.input.crop) ** 2 if is_small else 1.0

    def _save_state(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self._folder / STATE, weights_only=False)
        self._saved_at = time.perf_counter()

    def _hear(self, *_: object) -> None:
        if self._heard:
            sys.exit(_TERMINATED)
        self._heard = True  # not the other flag: the signal comes while it is agreed about, and would be lost

    def _leave_if_told(self) -> None:
        if self._told_to_end:
            sys.exit(_TERMINATED if self._is_first else 0)  # Lightning kills the first where another fails

    def _measure(self, trainer: Trainer) -> dict[str, Any]:
        correct, tested = self._module.correct, self._module.tested
        widths = {}
        if self._measure_widths is not None and trainer.current_epoch + 1 == self._plan.epochs:
            # Cut out and calibrated anew each time, they would take a good part of a small data set's epoch.
            widths["widths"] = self._measure_widths(self._module.result, correct)
        return {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "loss": self._module.loss_sum / self._steps,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "correct": correct,
            "tested": tested,
            "accuracy": correct / tested,
            "accuracy_interval": wilson_interval(correct, tested),
            "images_per_second": self._images_per_second(),
            "data_wait_share": self._data_wait_share(),
            **widths,
            "broken_images": len(self._module.broken),
            "seconds": time.perf_counter() - self._epoch_start,
            "finished_at": tell_now(),
        }

    def _describe(self) -> Checkpoint:
        latest = self._metrics[-1]
        return Checkpoint(
            self._plan.model,
            self._plan.input,
            self._labels,
            tuple(self._compression),
            origin={"run": self._folder.name, "epoch": latest["epoch"], "data": self._plan.data},
            metrics={key: latest[key] for key in ("accuracy", "correct", "tested", "loss")},
            supernet=self._plan.supernet,
        )

    def _progress(self, epoch: int, *, epoch_done: bool) -> TrainProgress:
        steps = len(self._module.batches)
        done = self._work(epoch) * self._steps / steps
        to_come = sum(map(self._work, range(epoch, self._epochs))) - done
        seconds_a_unit = (time.perf_counter() - self._session_start) / self._session_work
        return TrainProgress(
            epoch=epoch + 1,
            epochs=self._epochs,
            step=self._steps,
            steps=steps,
            loss=self._module.loss_sum / self._steps,
            accuracy=self._metrics[-1]["accuracy"] if self._metrics else None,
            images_per_second=self._images_per_second(),
            data_wait_share=self._data_wait_share(),
            seconds_left=seconds_a_unit * to_come,
            epoch_done=epoch_done,
        )

    def _images_per_second(self) -> float:
        return self._steps * self._module.batches.batch_size / self._trained_seconds

    def _data_wait_share(self) -> float:
        return self._module.batches.waited_ns / 1e9 / self._trained_seconds
