"""What Lightning trains: the network, its loss, its batches, and the average of its weights."""

import math
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from mobisdk.data import DecodedImages
from mobisdk.data.batches import Augmentation, Batch, HeldOutBatches, TrainingBatches
from mobisdk.errors import ConfigError
from mobisdk.training.averaging import average_weights
from mobisdk.training.objective import Objective
from mobisdk.training.optimization import build_optimizer, build_schedule
from mobisdk.training.plan import TrainingPlan

_HELD_OUT_BATCH = 256
_NAMES_SHOWN = 5


class Classification(LightningModule):
    """A network and its objective on images and labels, tested after every epoch."""

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        plan: TrainingPlan,
        train: DecodedImages,
        test: DecodedImages,
    ) -> None:
        super().__init__()
        self.network = network
        self.average = average_weights(network, plan.ema_decay) if plan.ema_decay else None
        self.batches = self._cut(train, plan, epoch=0)
        """This epoch's."""
        self.loss_sum = 0.0
        """Of this epoch's steps."""
        self.correct = 0
        """Held-out images that the result names right, after this epoch."""
        self.tested = len(test.labels)
        self._objective = objective
        self._plan = plan
        self._train = train
        self._test = test
        self._shown = torch.empty(0, dtype=torch.int64)
        """Indices of the last step's images."""

    @property
    def result(self) -> nn.Module:
        """The network that is tested and kept: the average where there is one."""
        return self.network if self.average is None else self.average.module

    def train_dataloader(self) -> TrainingBatches:
        """The coming epoch's batches."""
        self.batches = self._cut(self._train, self._plan, self.current_epoch)
        return self.batches

    def val_dataloader(self) -> HeldOutBatches:
        """The held-out images."""
        return HeldOutBatches(self._test, self._plan.input, batch_size=_HELD_OUT_BATCH)

    def configure_optimizers(self) -> Any:
        """The plan's optimizer, and its schedule a step."""
        optimizer = build_optimizer(self.network, self._plan)
        schedule = build_schedule(optimizer, self._plan, steps=self._plan.epochs * len(self.batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Make what is random in the network follow from the seed and the epoch alone."""
        torch.default_generator.manual_seed(epoch_seed(self._plan.seed, self.current_epoch))
        self.loss_sum = 0.0

    def training_step(self, batch: Batch) -> Tensor:
        """The loss of one batch.

        Raises:
            ConfigError: the loss is NaN or infinite.
        """
        loss = self._objective(self.network, batch)
        value = float(loss.detach())
        self._shown = batch.indices
        if not math.isfinite(value):
            self._refuse(f"the loss is {value}", step=self.global_step + 1)
        self.loss_sum += value
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        """Let the average follow."""
        if self.average is not None:
            self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        """Count anew.

        Raises:
            ConfigError: a weight is NaN or infinite, though no loss has shown it yet.
        """
        if not all(tensor.isfinite().all() for tensor in self.result.state_dict().values()):
            self._refuse("weights are NaN or infinite", step=self.global_step)
        self.correct = 0

    def validation_step(self, batch: Batch) -> None:
        """Count the images that the result names right."""
        self.correct += int((self.result(batch.images).argmax(1) == batch.labels).sum())

    def _refuse(self, what: str, step: int) -> None:
        names = [self._train.names[index] for index in self._shown.tolist()]
        shown = ", ".join(names[:_NAMES_SHOWN])
        if len(names) > _NAMES_SHOWN:
            shown += f" and {len(names) - _NAMES_SHOWN} more"
        raise ConfigError(
            f"{what} at step {step}, epoch {self.current_epoch + 1}, on {shown}",
            hint=f"Train with a lower --lr (now {self._plan.learning_rate:g}); if that does not help, look at them",
        )

    @staticmethod
    def _cut(images: DecodedImages, plan: TrainingPlan, epoch: int) -> TrainingBatches:
        return TrainingBatches(
            images,
            plan.input,
            Augmentation(plan.padding, plan.flip),
            batch_size=plan.batch_size,
            seed=epoch_seed(plan.seed, epoch),
        )


def epoch_seed(seed: int, epoch: int) -> int:
    """A seed of its own for every epoch, so that an epoch can be repeated without those before it."""
    return seed * 1_000_003 + epoch
