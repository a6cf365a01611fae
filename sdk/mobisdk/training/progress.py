"""What a training tells while it runs, and when it is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobisdk.accuracy import wilson_interval
from mobisdk.specs import InputSpec, ModelSpec


@dataclass(frozen=True)
class TrainProgress:
    """Sent after every step, and with `epoch_done` once more after every epoch, when the result was tested."""

    epoch: int
    """From 1."""
    epochs: int
    step: int
    """Of this epoch, from 1."""
    steps: int
    loss: float
    """Mean over this epoch's steps."""
    accuracy: float | None
    """On held-out images, after the last whole epoch."""
    images_per_second: float
    """In this epoch, without its test."""
    data_wait_share: float
    """Of this epoch's time: how much the network waited for batches."""
    seconds_left: float
    """Until the last epoch ends."""
    epoch_done: bool


@dataclass(frozen=True)
class TrainedRun:
    """A finished training."""

    folder: Path
    checkpoint: Path
    model: ModelSpec
    input: InputSpec
    classes: tuple[str, ...]
    epochs: int
    correct: int
    tested: int
    """Held-out images."""
    seconds: float
    """Of all epochs."""
    widths: tuple[Mapping[str, Any], ...] = ()
    """Of a supernet: α, resolution and accuracy of each network that was tested."""

    @property
    def accuracy(self) -> float:
        """Share of held-out images that the network names right."""
        return self.correct / self.tested

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 %, after Wilson."""
        return wilson_interval(self.correct, self.tested)
