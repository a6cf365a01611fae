"""What a user chooses, as frozen and validated values: ModelSpec, InputSpec, SupernetSpec, TargetSpec.

Dicts exist only at JSON edges: `dataclasses.asdict` goes out, `spec_from_dict` comes in.
"""

import dataclasses
import math
import re
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from mobisdk.errors import ConfigError

SMALLEST_RESOLUTION = 32
LARGEST_RESOLUTION = 2048
LARGEST_ALPHA = 2.0

Platform = Literal["android", "ios"]
Padding = Literal["symmetric", "same"]
Activation = Literal["relu", "relu6"]


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """A network without its weights: what parameters, multiply-adds and latency follow from.

    Raises:
        ConfigError: a value is outside what is allowed.

    Source: α and ρ are the width and resolution multipliers of Howard et al. 2017, sections 3.3 and 3.4.
    """

    arch: str = "mobilenet_v1"
    alpha: float = 1.0
    """Width multiplier: every layer has α times its channels."""
    resolution: int = 224
    """Input height and width in pixels: ρ times 224."""
    num_classes: int = 1000
    stem_stride: int = 2
    """Stride of the first convolution: 1 keeps the detail of images of about 32 pixels."""
    width_divisor: int = 1
    """Channels are a multiple of this: 1 is the paper's rounding (down), 8 is what hardware likes."""
    padding: Padding = "symmetric"
    """Of strided convolutions that pad: "same" is TensorFlow's, which puts an odd zero behind."""
    activation: Activation | None = None
    """In place of the architecture's ReLU, where weights from outside were trained with another."""
    norm_epsilon: float | None = None
    """Of batch norm, where weights from outside expect another than the architecture's."""

    def __post_init__(self) -> None:
        """Check every field, and make `alpha` a float whatever number it came as."""
        if not isinstance(self.arch, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", self.arch):
            raise ConfigError("arch must be an architecture's name", got=self.arch, hint="See `mobisdk models list`")
        if not _is_number(self.alpha) or not 0 < self.alpha <= LARGEST_ALPHA:
            raise ConfigError("alpha must be a number", got=self.alpha, allowed="0 < alpha ≤ 2", hint="Try 0.5")
        object.__setattr__(self, "alpha", float(self.alpha))
        _check_integer("resolution", self.resolution, SMALLEST_RESOLUTION, LARGEST_RESOLUTION, hint="Try 128")
        _check_integer("num_classes", self.num_classes, 2, 1_000_000)
        _check_integer("stem_stride", self.stem_stride, 1, 2)
        _check_integer("width_divisor", self.width_divisor, 1, 64)
        if self.padding not in typing.get_args(Padding):
            raise ConfigError("padding is unknown", got=self.padding, allowed="symmetric, same")
        if self.activation is not None and self.activation not in typing.get_args(Activation):
            raise ConfigError("activation is unknown", got=self.activation, allowed="relu, relu6, or none at all")
        if self.norm_epsilon is not None and (not _is_number(self.norm_epsilon) or not 0 < self.norm_epsilon < 1):
            raise ConfigError("norm_epsilon must be a number", got=self.norm_epsilon, allowed="0 < norm_epsilon < 1")

    @property
    def name(self) -> str:
        """`mobilenet_v1-a0.75-r224`, as in bundle names and tables."""
        return f"{self.arch}-a{self.alpha:g}-r{self.resolution}"


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """How a photograph becomes the network's input (contract 3).

    The shorter side is resized to `resize`, the centre `crop` × `crop` pixels are cut out, values in [0, 1] are
    normalized by `mean` and `std` inside the exported graph.

    Raises:
        ConfigError: a value is outside what is allowed.
    """

    resize: int
    crop: int
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        """Check every field, and make tuples of what JSON brought as lists."""
        _check_integer("crop", self.crop, 1, LARGEST_RESOLUTION)
        _check_integer("resize", self.resize, self.crop, 2 * LARGEST_RESOLUTION, hint="At least the crop")
        for field in ("mean", "std"):
            values = getattr(self, field)
            if not isinstance(values, tuple | list) or len(values) != 3 or not all(map(_is_number, values)):
                raise ConfigError(f"{field} must be three numbers, one a channel", got=values)
            object.__setattr__(self, field, tuple(float(value) for value in values))
        if min(self.std) <= 0:
            raise ConfigError("std must be positive", got=self.std)

    @staticmethod
    def for_resolution(resolution: int) -> "InputSpec":
        """The usual evaluation view: the centre 87.5 % of the photograph (256 → 224)."""
        return InputSpec(resize=round(resolution / 0.875), crop=resolution)


@dataclasses.dataclass(frozen=True)
class SupernetSpec:
    """Which networks one set of weights was trained for: every α between two, each at every one of the resolutions.

    Raises:
        ConfigError: a value is outside what is allowed.

    Source: Yu and Huang 2019 (arXiv:1903.05134).
    """

    alphas: tuple[float, float] = (0.25, 1.0)
    """The smallest and the largest."""
    resolutions: tuple[int, ...] = ()
    """The largest last; none at all means the network's own."""

    def __post_init__(self) -> None:
        """Check every field, and make tuples of what JSON brought as lists."""
        values = self.alphas
        if not isinstance(values, tuple | list) or len(values) != 2 or not all(map(_is_number, values)):
            raise ConfigError("alphas must be the smallest and the largest", got=values, hint="Try 0.25..1.0")
        low, high = map(float, values)
        if not 0 < low < high <= LARGEST_ALPHA:
            raise ConfigError("alphas must rise", got=f"{low:g}..{high:g}", allowed="0 < smallest < largest ≤ 2")
        object.__setattr__(self, "alphas", (low, high))
        if not isinstance(self.resolutions, tuple | list):
            raise ConfigError("resolutions must be a list of pixels", got=self.resolutions)
        for resolution in self.resolutions:
            _check_integer("resolution", resolution, SMALLEST_RESOLUTION, LARGEST_RESOLUTION, hint="Try 128")
        object.__setattr__(self, "resolutions", tuple(sorted(set(self.resolutions))))


@dataclasses.dataclass(frozen=True)
class TargetSpec:
    """Where a bundle runs, and how the network was lowered for it.

    Raises:
        ConfigError: a value is outside what is allowed.
    """

    platform: Platform
    runtime: str
    """An open string: "executorch", "coreml"."""
    recipe: str
    """An open string too: a phone must read the bundle of a recipe that is younger than its app."""
    backend: str
    min_os: str
    """Smallest Android API level or iOS version."""
    compute_units: str | None = None
    """Core ML only: the units that the app should ask for."""

    def __post_init__(self) -> None:
        """Check every field."""
        if self.platform not in typing.get_args(Platform):
            raise ConfigError("platform is unknown", got=self.platform, allowed="android, ios")
        if not isinstance(self.recipe, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", self.recipe):
            raise ConfigError("recipe must be a recipe's name", got=self.recipe, hint="See `mobisdk export --help`")


Spec = TypeVar("Spec", ModelSpec, InputSpec, SupernetSpec, TargetSpec)


def spec_from_dict(cls: type[Spec], values: Mapping[str, Any]) -> Spec:
    """Build a spec from a JSON object, refusing keys it does not have.

    Raises:
        ConfigError: a key is unknown or missing, or a value is outside what is allowed.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise ConfigError(f"{cls.__name__} has no such field", got=unknown, allowed=", ".join(fields))
    missing = [name for name, field in fields.items() if field.default is dataclasses.MISSING and name not in values]
    if missing:
        raise ConfigError(f"{cls.__name__} lacks {', '.join(missing)}", got=dict(values))
    return cls(**values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_integer(name: str, value: object, least: int, most: int, hint: str | None = None) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(f"{name} must be a whole number", got=value, allowed=f"{least} to {most}", hint=hint)
