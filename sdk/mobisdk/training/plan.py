"""Every setting of a training, decided: what `runs/<name>/spec.json` keeps and `--resume` goes on with."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mobisdk.data import Dataset
from mobisdk.data.open import DIGITS
from mobisdk.errors import ConfigError
from mobisdk.models.registry import find_architecture
from mobisdk.specs import InputSpec, ModelSpec, SupernetSpec, spec_from_dict
from mobisdk.training.distillation_spec import DistillationSpec
from mobisdk.training.presets import PRESETS
from mobisdk.training.spec import (
    PEAK_LEARNING_RATES,
    ChosenDevice,
    ChosenPrecision,
    OptimizerName,
    PresetName,
    ScheduleName,
    TrainSpec,
)

_SMALL_DATASET = 10_000
_FEWEST_EPOCHS, _MOST_EPOCHS = 24, 200
_IMAGES_SHOWN = 40_000
"""A small data set is shown again and again until the network has seen so many images."""
_TUNED_RATE = 0.1
"""Of the usual learning rate: trained weights are adapted, not thrown away."""
_FEWEST_TUNED_EPOCHS, _MOST_TUNED_EPOCHS = 4, 40
_IMAGES_TUNED = 10_000
_STEPS_TO_AVERAGE = 1_000
"""In a shorter training the average, which follows a hundred steps late, is worse than the last step."""
_SMALL = 0.75
"""Of the resolution, in a preset's first epochs."""


@dataclasses.dataclass(frozen=True)
class TrainingPlan:
    """A TrainSpec in which nothing is left to choose; the fields of the same name mean the same."""

    model: ModelSpec
    input: InputSpec
    data: str
    epochs: int
    batch_size: int
    optimizer: OptimizerName
    schedule: ScheduleName
    learning_rate: float
    warmup: float
    weight_decay: float
    label_smoothing: float
    padding: int
    """Black pixels around an image before a window is cut out of it at random."""
    flip: bool
    """Mirror every other image."""
    ema_decay: float
    seed: int
    skip_broken: bool
    preset: PresetName | None = None
    mixup: float = 0.0
    random_augment: float = 0.0
    small_epochs: int = 0
    """So many epochs, the first ones, are trained at `small_resolution`."""
    small_resolution: int = 0
    class_weights: bool = False
    freeze: bool = False
    seconds: float | None = None
    """That all epochs may take; where they would take longer, the last ones are left out."""
    stream: bool = False
    precision: ChosenPrecision = "float32"
    device: ChosenDevice = "cpu"
    distillation: DistillationSpec | None = None
    supernet: SupernetSpec | None = None
    rate_reason: str = ""
    """Why the highest learning rate is what it is."""

    @property
    def shows_one_view(self) -> bool:
        """Whether an image looks the same in every epoch."""
        return self.padding == 0 and not self.flip and self.input.resize == self.input.crop


def plan_training(spec: TrainSpec, dataset: Dataset, view: InputSpec, *, tuned: bool = False) -> TrainingPlan:
    """Choose what `spec` leaves open; for weights that are trained already, fewer epochs and a lower learning rate.

    The narrower the network, the less it is regularized and the less its images are varied: small networks have
    trouble to learn their images, not to forget them.

    Source: Howard et al. 2017 (arXiv:1704.04861), section 3.2.
    """
    from mobisdk.training.hardware import choose_device, choose_precision  # asks torch

    preset = PRESETS[spec.preset]
    count = len(dataset.train)
    batch_size = spec.batch_size or (128 if count >= _SMALL_DATASET else 64)
    if tuned:
        usual_epochs = min(max(math.ceil(_IMAGES_TUNED / count), _FEWEST_TUNED_EPOCHS), _MOST_TUNED_EPOCHS)
    else:
        shown = min(max(math.ceil(_IMAGES_SHOWN / count), _FEWEST_EPOCHS), _MOST_EPOCHS)
        usual_epochs = dataset.epochs or shown
    epochs = spec.epochs or max(1, round(usual_epochs * preset.epochs))
    optimizer = spec.optimizer or preset.optimizer
    usual_rate, rate_reason = _choose_rate(spec.model.arch, optimizer, batch_size, tuned=tuned)
    usual_ema_decay = preset.ema_decay if epochs * count >= _STEPS_TO_AVERAGE * batch_size else 0.0
    shrinks = bool(preset.small_epochs) and spec.supernet is None  # which has resolutions of its own
    small_resolution = round(_SMALL * spec.model.resolution / 8) * 8 if shrinks else 0
    device = choose_device(spec.device)
    strength = _strength(spec) if preset.scaled else 1.0
    return TrainingPlan(
        model=dataclasses.replace(spec.model, num_classes=len(dataset.classes)),
        input=view,
        data=spec.data if spec.data == DIGITS else str(Path(spec.data).resolve()),
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        schedule=spec.schedule or preset.schedule,
        learning_rate=spec.learning_rate or usual_rate,
        warmup=preset.warmup if spec.warmup is None else spec.warmup,
        weight_decay=preset.weight_decay * strength if spec.weight_decay is None else spec.weight_decay,
        label_smoothing=preset.label_smoothing * strength if spec.label_smoothing is None else spec.label_smoothing,
        padding=round(preset.padding * strength * spec.model.resolution) if view.resize == view.crop else 0,
        flip=dataset.flip,
        ema_decay=usual_ema_decay if spec.ema_decay is None else spec.ema_decay,
        seed=spec.seed,
        skip_broken=spec.skip_broken,
        preset=spec.preset,
        mixup=preset.mixup,
        random_augment=preset.random_augment * strength,
        small_epochs=small_epochs(spec.preset, epochs) if small_resolution else 0,
        small_resolution=small_resolution,
        class_weights=spec.class_weights,
        freeze=spec.freeze,
        stream=spec.stream,
        precision=choose_precision(spec.precision, device, batch_size),
        device=device,
        distillation=None if spec.distillation is None else resolve_distillation(spec.distillation),
        supernet=None if spec.supernet is None else _complete(spec.supernet, spec.model),
        rate_reason="as chosen" if spec.learning_rate else rate_reason,
    )


def _strength(spec: TrainSpec) -> float:
    """Of the regularization: α, and of a supernet the geometric mean of its ends, with which all widths can learn."""
    alpha = spec.model.alpha if spec.supernet is None else math.sqrt(math.prod(spec.supernet.alphas))
    return min(1.0, alpha)


def _choose_rate(arch: str, optimizer: OptimizerName, batch_size: int, *, tuned: bool) -> tuple[float, str]:
    """The highest learning rate that the network bears, and why it is this."""
    architecture = find_architecture(arch)
    rate = PEAK_LEARNING_RATES[optimizer] * batch_size / 128 * architecture.rate_share * (_TUNED_RATE if tuned else 1)
    reasons = [f"{optimizer}'s usual one for batches of {batch_size}"]
    if architecture.rate_reason:
        reasons = [f"{architecture.rate_share:g} of {reasons[0]}: {arch} {architecture.rate_reason}"]
    if tuned:
        reasons.append(f"times {_TUNED_RATE:g} to adapt trained weights")
    return rate, ", ".join(reasons)


def small_epochs(preset: PresetName | None, epochs: int) -> int:
    """How many of so many epochs a preset trains at a lower resolution."""
    return int(PRESETS[preset].small_epochs * epochs)


def resolve_distillation(distillation: DistillationSpec) -> DistillationSpec:
    """Name files so that `--resume` finds them from any folder."""
    teacher, unlabelled = distillation.teacher, distillation.unlabelled
    return dataclasses.replace(
        distillation,
        teacher=teacher if "://" in teacher else str(Path(teacher).resolve()),
        unlabelled=unlabelled and str(Path(unlabelled).resolve()),
    )


def _complete(supernet: SupernetSpec, model: ModelSpec) -> SupernetSpec:
    """Check that the network is the supernet's largest, whose resolution is the only one where none is named."""
    resolutions = supernet.resolutions or (model.resolution,)
    for name, largest, found in (
        ("alpha", supernet.alphas[1], model.alpha),
        ("resolution", resolutions[-1], model.resolution),
    ):
        if found != largest:
            raise ConfigError(f"a supernet's {name} is its largest", got=found, allowed=f"{largest:g}")
    return dataclasses.replace(supernet, resolutions=resolutions)


def plan_from_dict(values: Mapping[str, Any]) -> TrainingPlan:
    """Read what `dataclasses.asdict` gave.

    Raises:
        ConfigError: a key is unknown or missing, or a value is outside what is allowed.
    """
    try:
        specs: dict[str, Any] = {
            "model": spec_from_dict(ModelSpec, values["model"]),
            "input": spec_from_dict(InputSpec, values["input"]),
            "distillation": None,
            "supernet": None,
        }
        if values.get("distillation") is not None:
            specs["distillation"] = DistillationSpec(**values["distillation"])
        if values.get("supernet") is not None:
            specs["supernet"] = spec_from_dict(SupernetSpec, values["supernet"])
        return TrainingPlan(**{**values, **specs})
    except (KeyError, TypeError) as error:
        raise ConfigError("the settings are not a training's", got=str(error)) from error
