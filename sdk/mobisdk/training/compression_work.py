"""A network on its way through compressions: what is looked at, what was done, and the fine-tuning between."""

import copy
import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from mobisdk.compression import CompressionResult, TechniqueConfig, compress_, find_technique
from mobisdk.compression.sensitivity import LayerSensitivity
from mobisdk.compression.targets import Target, reach_target_
from mobisdk.data import DecodedImages, decode_images, open_dataset
from mobisdk.data.batches import HeldOutBatches, normalize
from mobisdk.errors import ConfigError, DataError
from mobisdk.models.checkpoint import Checkpoint
from mobisdk.models.evaluation_mode import evaluation_mode
from mobisdk.specs import InputSpec
from mobisdk.training.distillation import distil
from mobisdk.training.held_out import count_correct
from mobisdk.training.session import OnProgress, fine_tune
from mobisdk.training.spec import TrainSpec
from mobisdk.training.teacher import Teacher, load_teacher

_IMAGES = 256
"""Training images that responses and sensitivities are measured on."""
_TEMPERATURE, _MIX = 4.0, 0.7
_BATCH = 256
OnStep = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class CompressionPlan:
    """What is done to a checkpoint.

    Raises:
        ConfigError: a target is given to several techniques, or epochs are negative.
    """

    configs: tuple[TechniqueConfig, ...]
    target: Target | None = None
    data: str | None = None
    """Its images are looked at, learnt from and tested on; None is what the checkpoint was trained on."""
    finetune_epochs: int = 0
    """Behind each technique."""
    learning_rate: float | None = None
    teacher: str | None = None
    """Weights that fine-tuning learns from; None is the uncompressed network."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check what depends on each other."""
        if self.target is not None and len(self.configs) != 1:
            raise ConfigError("a target decides the settings of one technique", got=[c.method for c in self.configs])
        if self.finetune_epochs < 0:
            raise ConfigError("epochs must be a number", got=self.finetune_epochs, allowed="0 or more")


@dataclasses.dataclass(frozen=True)
class CompressionImages:
    """Of the data set, as the network sees them."""

    source: str
    train: torch.Tensor
    """Normalized, a part of the training split."""
    test: DecodedImages
    view: InputSpec

    def count_right(self, network: nn.Module) -> int:
        """Held-out images that the network names right."""
        with evaluation_mode(network):
            return count_correct(network, HeldOutBatches(self.test, self.view, batch_size=_BATCH))

    def accuracy(self, network: nn.Module) -> float:
        """Their share."""
        return self.count_right(network) / len(self.test.labels)


@dataclasses.dataclass
class CompressionWork:
    """A network that is being compressed, and what was done to it so far."""

    plan: CompressionPlan
    checkpoint: Checkpoint
    network: nn.Module
    images: CompressionImages | None
    teacher: Teacher
    runs: Path
    on_progress: OnProgress | None
    steps: list[CompressionResult] = dataclasses.field(default_factory=list)
    found: tuple[LayerSensitivity, ...] = ()
    """What was measured for a target."""

    @property
    def described(self) -> Checkpoint:
        """The checkpoint with a record of each step."""
        records = (step.record for step in self.steps)
        return dataclasses.replace(self.checkpoint, compression=(*self.checkpoint.compression, *records))

    def reach_target(
        self, config: TechniqueConfig, target: Target, tell: OnStep, on_layer: Callable[[int, int], None] | None
    ) -> None:
        """Let sensitivity decide the layers' settings, then fine-tune."""
        if self.images is None:
            raise _no_data("a target is reached by what layers mean on images")
        tell(f"Measuring how sensitive each layer is to {config.method}")
        results, self.found = reach_target_(
            self.network,
            config,
            target,
            images=self.images.train,
            evaluate=self.images.accuracy,
            on_layer=on_layer,
        )
        self.steps += results
        self._tune(self.plan.finetune_epochs)

    def apply(self, config: TechniqueConfig, tell: OnStep) -> None:
        """Apply a technique stage by stage, with fine-tuning behind each; together they are one step."""
        technique = find_technique(config.method)
        stages = technique.stages(config)
        first = None
        for number, stage in enumerate(stages):
            tell(f"{config.method}" + (f", step {number + 1} of {len(stages)}" if len(stages) > 1 else ""))
            if self.images is None and technique.needs_images(stage):
                raise _no_data(f"{config.method} follows what layers answer on images")
            images = _zeros(self.checkpoint) if self.images is None else self.images.train
            result = compress_(self.network, stage, images=images)
            if not result.changed:
                reasons = "; ".join(f"{skipped.name}: {skipped.reason}" for skipped in result.skipped)
                raise ConfigError(f"{config.method} changed no layer", got=reasons or None)
            if first is None:
                first = result
                self.steps.append(result)
            else:
                self.steps[-1] = dataclasses.replace(
                    result,
                    macs_before=first.macs_before,
                    params_before=first.params_before,
                    size_bytes_before=first.size_bytes_before,
                )
            self._tune(_share_of_epochs(self.plan.finetune_epochs, number, len(stages)))

    def _tune(self, epochs: int) -> None:
        if epochs == 0:
            return
        plan = self.plan
        spec = TrainSpec(
            self.checkpoint.model,
            data=plan.data or str(self.checkpoint.origin["data"]),
            epochs=epochs,
            learning_rate=plan.learning_rate,
            seed=plan.seed,
        )
        objective = distil(self.teacher, temperature=_TEMPERATURE, mix=_MIX)
        with tempfile.TemporaryDirectory(dir=self.runs, prefix=".fine-tuning-") as folder:
            fine_tune(
                self.network,
                self.described,
                spec,
                runs=Path(folder),
                objective=objective,
                on_progress=self.on_progress,
            )


def open_images(plan: CompressionPlan, checkpoint: Checkpoint, cache: Path) -> CompressionImages | None:
    """The data's images, or none where no data is named anywhere and none is needed."""
    source = plan.data or checkpoint.origin.get("data")
    if source is None:
        if plan.finetune_epochs:
            raise _no_data("fine-tuning needs images")
        return None
    dataset = open_dataset(str(source))
    if dataset.classes != checkpoint.labels:
        raise DataError(
            "the data's classes are not the checkpoint's", got=dataset.classes[:5], allowed=str(checkpoint.labels[:5])
        )
    order = torch.randperm(len(dataset.train), generator=torch.Generator().manual_seed(plan.seed))[:_IMAGES]
    some = decode_images([dataset.train[index] for index in sorted(order.tolist())], checkpoint.input, cache=cache)
    train = normalize(torch.from_numpy(some.pixels), checkpoint.input).contiguous()
    return CompressionImages(
        str(source), train, decode_images(dataset.test, checkpoint.input, cache=cache), checkpoint.input
    )


def choose_teacher(plan: CompressionPlan, checkpoint: Checkpoint, network: nn.Module) -> Teacher:
    """The plan's, or the network as it is now.

    Raises:
        DataError: there are no such weights, they are damaged, or they know other classes.
        UnsupportedError: nobody known here publishes these weights.
    """
    if plan.teacher is not None:
        return load_teacher(plan.teacher, checkpoint.labels, checkpoint.input)
    own = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)
    order = torch.arange(len(checkpoint.labels))
    return Teacher(own, checkpoint.model, checkpoint.input, checkpoint.input, order, "")


def _zeros(checkpoint: Checkpoint) -> torch.Tensor:
    return torch.zeros(1, 3, checkpoint.input.crop, checkpoint.input.crop)


def _no_data(why: str) -> ConfigError:
    return ConfigError(f"{why}, and the checkpoint does not say what it was trained on", hint="Name them with --data")


def _share_of_epochs(epochs: int, stage: int, stages: int) -> int:
    """The epochs of one stage: as many each, and what is left over for the last."""
    return epochs // stages + (epochs % stages if stage == stages - 1 else 0)
