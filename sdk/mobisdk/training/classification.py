"""What Lightning trains: the network, its loss, its batches, and the average of its weights."""

import hashlib
import math
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from mobisdk.data import DecodedImages
from mobisdk.data.batches import Batch, HeldOutBatches, TrainingBatches, TrainingImages, derive_seed
from mobisdk.errors import ConfigError
from mobisdk.training.averaging import average_weights
from mobisdk.training.batching import cut_batches
from mobisdk.training.course import Course
from mobisdk.training.objective import Objective
from mobisdk.training.optimization import build_optimizer, build_schedule
from mobisdk.training.plan import TrainingPlan
from mobisdk.training.processes import mean_over_processes, sum_over_processes
from mobisdk.training.threads import Threads, answer_in_threads

_HELD_OUT_BATCH = 256
_NAMES_SHOWN = 5
_LOSSES_AT_ONCE = 16


class _Loss(NamedTuple):
    value: Tensor
    step: int
    indices: Tensor


class Classification(LightningModule):
    """A network and its objective on images and labels, tested after every epoch."""

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        plan: TrainingPlan,
        train: TrainingImages,
        test: DecodedImages,
        part: slice = slice(None),
        threads: Threads | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.average = average_weights(network, plan.ema_decay) if plan.ema_decay else None
        if self.average is not None:
            self.average.requires_grad_(False)  # or several processes would wait for its gradients
        self.loss_sum = 0.0
        """Of this epoch's steps whose losses are known."""
        self.correct = 0
        """Held-out images that the result names right, after this epoch."""
        self.tested = len(test.labels)
        self.course = Course(plan.epochs * (len(train.labels) // min(plan.batch_size, len(train.labels))))
        self._objective = objective
        self._plan = plan
        self._train = train
        self._test = test
        self._part = part
        self._threads = threads
        self._last_indices = torch.empty(0, dtype=torch.int64)
        self.batches = self._cut(epoch=0)
        """This epoch's."""
        self._unread: list[_Loss] = []
        """Losses that were not looked at yet: asking a GPU for each would make it wait."""

    @property
    def result(self) -> nn.Module:
        """The network that is tested and kept: the average where there is one."""
        return self.network if self.average is None else self.average.module

    @property
    def broken(self) -> tuple[str, ...]:
        """Images to train with that were left out so far."""
        return self._train.broken

    def describe_data(self) -> str:
        """A hash of the labels that this process sees."""
        digest = hashlib.sha256(self._train.labels.tobytes())
        digest.update(self._test.labels.tobytes())
        return digest.hexdigest()

    def train_dataloader(self) -> TrainingBatches:
        """The coming epoch's batches."""
        self.batches = self._cut(self.current_epoch)
        return self.batches

    def val_dataloader(self) -> HeldOutBatches:
        """The held-out images."""
        return HeldOutBatches(
            self._test, self._plan.input, batch_size=_HELD_OUT_BATCH, device=self._plan.device, part=self._part
        )

    def configure_optimizers(self) -> Any:
        """The plan's optimizer, and its schedule a step."""
        optimizer = build_optimizer(self.network, self._plan)
        schedule = build_schedule(optimizer, self._plan, self.course)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch. What is random in it follows from the seed and the step alone.

        Raises:
            ConfigError: the loss is NaN or infinite.
        """
        torch.default_generator.manual_seed(derive_seed(self._plan.seed, self.current_epoch, batch_idx))
        is_mixed = self._plan.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=is_mixed):
            loss = self._objective(self.network, batch)
        self._unread.append(_Loss(loss.detach(), self.global_step + 1, batch.indices))
        if self.device.type == "cpu" or len(self._unread) == _LOSSES_AT_ONCE:
            self.read_losses()
        return loss

    def read_losses(self) -> None:
        """Look at the losses of the steps since the last time.

        Raises:
            ConfigError: one is NaN or infinite.
        """
        if not self._unread:
            return
        values = mean_over_processes(torch.stack([loss.value for loss in self._unread])).tolist()
        for loss, value in zip(self._unread, values, strict=True):
            if not math.isfinite(value):
                self._refuse(f"the loss is {value}", loss.step, loss.indices)
            self.loss_sum += value
            self._last_indices = loss.indices
        self._unread = []

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        """Let the average follow."""
        super().optimizer_step(*arguments, **named)
        if self.average is not None:
            self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        """Count anew.

        Raises:
            ConfigError: a weight is NaN or infinite, though no loss has shown it yet.
        """
        self.read_losses()
        if not all(tensor.isfinite().all() for tensor in self.result.state_dict().values()):
            self._refuse("weights are NaN or infinite", self.global_step, self._last_indices)
        self.correct = 0

    def validation_step(self, batch: Batch) -> None:
        """Count the images that the result names right."""
        logits = answer_in_threads(self.result, batch.images, self._threads)
        self.correct += int((logits.argmax(1) == batch.labels).sum())

    def on_validation_epoch_end(self) -> None:
        """Add what the other processes counted."""
        self.correct = sum_over_processes(self.correct, self.device)

    def _refuse(self, what: str, step: int, indices: Tensor) -> None:
        names = [self._train.names[index] for index in indices.tolist()]
        shown = ", ".join(names[:_NAMES_SHOWN])
        if len(names) > _NAMES_SHOWN:
            shown += f" and {len(names) - _NAMES_SHOWN} more"
        raise ConfigError(
            f"{what} at step {step}, epoch {self.current_epoch + 1}, on {shown}",
            hint=f"Train with a lower --lr (now {self._plan.learning_rate:g}); if that does not help, look at them",
        )

    def _cut(self, epoch: int) -> TrainingBatches:
        resolution = self._plan.small_resolution if epoch < self._plan.small_epochs else None
        return cut_batches(self._plan, self._train, epoch=epoch, resolution=resolution, part=self._part)
