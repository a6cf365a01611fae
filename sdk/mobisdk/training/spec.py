"""What a user chooses about a training, and what is chosen for them."""

import dataclasses
import math
import typing
from typing import Literal

from mobisdk.data.open import refuse_url
from mobisdk.errors import ConfigError
from mobisdk.specs import ModelSpec, SupernetSpec
from mobisdk.training.distillation_spec import DistillationSpec

OptimizerName = Literal["sgd", "rmsprop", "adamw"]
ScheduleName = Literal["one_cycle", "cosine", "exponential"]
PresetName = Literal["fast", "paper", "strong"]
ChosenPrecision = Literal["float32", "bfloat16"]
PrecisionName = Literal["auto", ChosenPrecision]
ChosenDevice = Literal["cpu", "cuda"]
DeviceName = Literal["auto", ChosenDevice]

PEAK_LEARNING_RATES: dict[OptimizerName, float] = {"sgd": 0.2, "rmsprop": 0.01, "adamw": 0.02}
"""For batches of 128."""


@dataclasses.dataclass(frozen=True)
class TrainSpec:
    """How a network is trained. None: chosen for the network and the data by `plan_training`.

    Raises:
        ConfigError: a value is outside what is allowed.
        UnsupportedError: the data is a URL.
    """

    model: ModelSpec
    """Its `num_classes` is not used: the data says how many there are."""
    data: str = "digits"
    """`digits`, a folder of class folders, or Parquet."""
    preset: PresetName | None = None
    """`fast` for minutes on two cores, `paper` for the MobileNet paper's recipe, `strong` for the best accuracy."""
    epochs: int | None = None
    budget_seconds: float | None = None
    """As many epochs as end in this time, decoding and testing included, in place of `epochs`."""
    batch_size: int | None = None
    optimizer: OptimizerName | None = None
    schedule: ScheduleName | None = None
    learning_rate: float | None = None
    """The highest one, after the warm-up."""
    warmup: float | None = None
    """Share of the steps in which the learning rate rises."""
    weight_decay: float | None = None
    """Of full and pointwise filters and the classifier; depthwise filters, norms and biases have none."""
    label_smoothing: float | None = None
    ema_decay: float | None = None
    """Of the average over the steps' weights that is tested and kept; 0 keeps the last step's."""
    class_weights: bool = False
    """Weigh each class by how rare it is, so that all count the same."""
    freeze: bool = False
    """Of a fine-tuning: train the classifier alone."""
    precision: PrecisionName = "auto"
    """Of the convolutions' arithmetic; weights, averages and statistics are float32 always."""
    device: DeviceName = "auto"
    seed: int = 0
    stream: bool = False
    """Read and decode images while training, every epoch anew: for data that is too large to keep decoded."""
    skip_broken: bool = False
    """Go on without images that cannot be decoded, and count them."""
    distillation: DistillationSpec | None = None
    """Learn from a teacher too."""
    supernet: SupernetSpec | None = None
    """Train every width at once; `model` is the largest network."""

    def __post_init__(self) -> None:
        """Check every field."""
        _check_choice("preset", self.preset, (None, *typing.get_args(PresetName)))
        _check_choice("optimizer", self.optimizer, (None, *typing.get_args(OptimizerName)))
        _check_choice("schedule", self.schedule, (None, *typing.get_args(ScheduleName)))
        _check_choice("precision", self.precision, ("auto", "float32", "bfloat16"))
        _check_choice("device", self.device, ("auto", "cpu", "cuda"))
        if not isinstance(self.data, str) or not self.data:
            raise ConfigError("data must be named", got=self.data, allowed="digits, a folder, a Parquet file")
        refuse_url(self.data)
        if self.epochs is not None:
            _check_integer("epochs", self.epochs, 1, 10_000)
        if self.batch_size is not None:
            _check_integer("batch_size", self.batch_size, 2, 65_536)
        _check_integer("seed", self.seed, 0, 2**31 - 1)
        if self.learning_rate is not None:
            _check_number("learning_rate", self.learning_rate, 0, 100)
            if self.learning_rate == 0:
                raise ConfigError("learning_rate must be positive", got=self.learning_rate, hint="Try 0.1")
        if self.weight_decay is not None:
            _check_number("weight_decay", self.weight_decay, 0, 1)
        if self.label_smoothing is not None:
            _check_number("label_smoothing", self.label_smoothing, 0, 0.9)
        if self.warmup is not None:
            _check_number("warmup", self.warmup, 0, 0.9)
        if self.supernet is not None and (self.stream or self.budget_seconds is not None):
            raise ConfigError(
                "a supernet is trained from decoded images, for a number of epochs",
                got="stream" if self.stream else "budget_seconds",
                hint="Leave that out; --epochs says how long",
            )
        if self.budget_seconds is not None:
            _check_number("budget_seconds", self.budget_seconds, 1, 1e8)
            if self.epochs is not None:
                raise ConfigError("epochs follow from the budget", got=self.epochs, hint="Give --budget or --epochs")
        if self.ema_decay is not None:
            _check_number("ema_decay", self.ema_decay, 0, 0.99999)


def _check_choice(name: str, value: object, allowed: tuple[str | None, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} is unknown", got=value, allowed=", ".join(filter(None, allowed)))


def _check_integer(name: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(f"{name} must be a whole number", got=value, allowed=f"{least} to {most}")


def _check_number(name: str, value: object, least: float, most: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not least <= value <= most:  # type: ignore[operator]
        raise ConfigError(f"{name} must be a number", got=value, allowed=f"{least:g} to {most:g}")
