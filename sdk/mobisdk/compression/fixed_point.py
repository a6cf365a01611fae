"""Dynamic fixed point: weights and activations are whole numbers times a power of two, one for each tensor."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mobisdk.compression.constraint import WeightConstraint
from mobisdk.compression.layer_selection import CompressibleLayer, find_layer, select_layers
from mobisdk.compression.rounded_activation import RoundedReLU, round_activations_
from mobisdk.compression.rounding import choose_power_of_two, round_to_fixed_point
from mobisdk.compression.technique import Decision, Outcome, Technique, TechniqueConfig
from mobisdk.errors import ConfigError

_METHOD = "fixed_point"
_FEWEST_BITS, _MOST_BITS = 2, 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class FixedPointConfig(TechniqueConfig):
    """Bits of every multiplication's two numbers; what is summed and what learns has float32's.

    Source: Courbariaux et al. 2014 (arXiv:1412.7024): 10 bits multiply as well as float32, 0.01 % may overflow.
    """

    method = _METHOD
    bits: int = 10
    activations: bool = True
    max_overflow: float = 1e-4

    def __post_init__(self) -> None:
        """Check bits and share."""
        super().__post_init__()
        if not _FEWEST_BITS <= self.bits <= _MOST_BITS:
            raise ConfigError("bits must be few", got=self.bits, allowed=f"{_FEWEST_BITS} to {_MOST_BITS}")
        if not 0 <= self.max_overflow < 1:
            raise ConfigError("max_overflow must be a share", got=self.max_overflow, allowed="0 ≤ max_overflow < 1")


class FixedPointWeight(WeightConstraint):
    """The nearest fixed-point numbers of a weight that goes on learning, whose power of two follows it."""

    method = _METHOD

    def __init__(self, shape: tuple[int, ...], bits: int, max_overflow: float) -> None:
        super().__init__()
        self.shape, self.bits, self.max_overflow = shape, bits, max_overflow

    def forward(self, weight: Tensor) -> Tensor:
        """Round."""
        return round_to_fixed_point(weight, self.bits, choose_power_of_two(weight, self.bits, self.max_overflow))

    def store(self, learned: Tensor) -> tuple[NDArray[np.uint8], NDArray[np.float32]] | None:
        """Fractions of the least number, where they fit a byte."""
        if self.bits > 8:
            return None
        step, half = choose_power_of_two(learned, self.bits, self.max_overflow), 2 ** (self.bits - 1)
        numbers = round_to_fixed_point(learned, self.bits, step) / step
        return (numbers + half).byte().numpy(), np.arange(-half, half, dtype=np.float32)[None, :, None] / half

    @property
    def bits_per_weight(self) -> float:
        """The numbers' own, and a byte for the exponent."""
        return self.bits + 8 / math.prod(self.shape)


def _transform_(model: nn.Module, config: FixedPointConfig, images: Tensor) -> Outcome:
    layers, skipped = select_layers(model, config)
    decisions = {}
    for name, layer in layers.items():
        fix_(layer, config.bits, config.max_overflow)
        structure = {"bits": config.bits, "max_overflow": config.max_overflow}
        decisions[name] = Decision(f"fixed point of {config.bits} bits", structure)
    if config.activations:
        rounded, inactive = round_activations_(model, config.bits, images, max_overflow=config.max_overflow)
        decisions |= rounded
        skipped += tuple(inactive)
    return Outcome(decisions, skipped)


def fix_(layer: CompressibleLayer, bits: int, max_overflow: float) -> None:
    """Let the layer multiply with fixed-point numbers."""
    parametrize.register_parametrization(layer, "weight", FixedPointWeight(layer.weight.shape, bits, max_overflow))


def _restructure_(model: nn.Module, layers: Mapping[str, Any]) -> None:
    for name, structure in layers.items():
        if "activation" in structure:
            model.set_submodule(name, RoundedReLU(structure["bits"]))
        else:
            fix_(find_layer(model, name), structure["bits"], structure["max_overflow"])


def _ladder(config: FixedPointConfig) -> tuple[FixedPointConfig, ...]:
    return tuple(dataclasses.replace(config, bits=value) for value in (12, 10, 8, 6, 4))


TECHNIQUE = Technique(
    FixedPointConfig,
    _transform_,
    _restructure_,
    ladder=_ladder,
    needs_images=lambda config: config.activations,
    clashes=frozenset({"binary", "deep_compression", _METHOD, "hash", "low_bits", "product_quantization"}),
)
