"""What a training leaves behind after every epoch, and what it tells on the way."""

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from mobisdk.accuracy import wilson_interval
from mobisdk.files import write_atomically
from mobisdk.models.checkpoint import Checkpoint, save_checkpoint
from mobisdk.training.classification import Classification
from mobisdk.training.plan import TrainingPlan
from mobisdk.training.progress import TrainProgress
from mobisdk.training.runs import CHECKPOINT, METRICS, STATE


class Recorder(Callback):
    """Writes checkpoint, metrics and state, each of them whole, and the state last.

    A training that is cut off between them repeats that epoch when it is resumed, with the same result.
    """

    def __init__(
        self,
        folder: Path,
        plan: TrainingPlan,
        labels: tuple[str, ...],
        compression: Sequence[dict[str, Any]],
        module: Classification,
        on_progress: Callable[[TrainProgress], None] | None,
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._labels = labels
        self._compression = compression
        self._module = module
        self._on_progress = on_progress
        self._metrics: list[dict[str, Any]] = []
        self._session_start = self._epoch_start = 0.0
        self._trained_seconds = 0.0
        """Of this epoch, without its test."""
        self._session_steps = self._steps = 0

    def state_dict(self) -> dict[str, Any]:
        """The metrics so far: they are part of the state."""
        return {"metrics": self._metrics}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the metrics that belong to the state."""
        self._metrics = state_dict["metrics"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Start the clock."""
        self._session_start = time.perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Start the epoch's clock."""
        self._epoch_start = time.perf_counter()
        self._steps = 0

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Tell how far it is."""
        self._trained_seconds = time.perf_counter() - self._epoch_start
        self._steps += 1
        self._session_steps += 1
        if self._on_progress is not None:
            self._on_progress(self._progress(trainer.current_epoch, epoch_done=False))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Write what there is now."""
        self._metrics.append(self._measure(trainer))
        progress = self._progress(trainer.current_epoch, epoch_done=True)
        save_checkpoint(self._folder / CHECKPOINT, self._describe(), self._module.result.state_dict())
        lines = "".join(f"{json.dumps(line)}\n" for line in self._metrics)
        write_atomically(self._folder / METRICS, lines.encode())
        trainer.save_checkpoint(self._folder / STATE, weights_only=False)
        if self._on_progress is not None:
            self._on_progress(progress)

    def _measure(self, trainer: Trainer) -> dict[str, Any]:
        correct, tested = self._module.correct, self._module.tested
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
            "seconds": time.perf_counter() - self._epoch_start,
            "finished_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
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
        )

    def _progress(self, epoch: int, *, epoch_done: bool) -> TrainProgress:
        steps = len(self._module.batches)
        done = epoch * steps + self._steps
        seconds_a_step = (time.perf_counter() - self._session_start) / self._session_steps
        return TrainProgress(
            epoch=epoch + 1,
            epochs=self._plan.epochs,
            step=self._steps,
            steps=steps,
            loss=self._module.loss_sum / self._steps,
            accuracy=self._metrics[-1]["accuracy"] if self._metrics else None,
            images_per_second=self._images_per_second(),
            data_wait_share=self._data_wait_share(),
            seconds_left=seconds_a_step * (self._plan.epochs * steps - done),
            epoch_done=epoch_done,
        )

    def _images_per_second(self) -> float:
        return self._steps * self._module.batches.batch_size / self._trained_seconds

    def _data_wait_share(self) -> float:
        return self._module.batches.waited_ns / 1e9 / self._trained_seconds
