"""Quantized networks: weights, and activations where asked, of 1, 2, 4 or 6 bits, trained straight through."""

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
from mobisdk.compression.result import SkippedLayer
from mobisdk.compression.rounded_activation import RoundedReLU, round_activations_
from mobisdk.compression.rounding import choose_levels, round_to_levels
from mobisdk.compression.technique import ANY_CONSTRAINT, Decision, Outcome, Technique, TechniqueConfig
from mobisdk.errors import ConfigError
from mobisdk.layers.depthwise import is_depthwise

_METHOD = "low_bits"
_BITS = (1, 2, 4, 6)
_ALLOWED = ", ".join(map(str, _BITS))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LowBitsConfig(TechniqueConfig):
    """Bits of weights and activations.

    Source: Hubara et al. 2016 (arXiv:1609.07061).
    """

    method = _METHOD
    weight_bits: int = 4
    activation_bits: int | None = None
    """None leaves activations as they are."""
    keep_first_and_last: bool = True

    def __post_init__(self) -> None:
        """Check the bits."""
        super().__post_init__()
        if self.weight_bits not in _BITS:
            raise ConfigError("weight_bits must be what Core ML stores", got=self.weight_bits, allowed=_ALLOWED)
        if self.activation_bits is not None and self.activation_bits not in _BITS:
            raise ConfigError("activation_bits must be few", got=self.activation_bits, allowed=_ALLOWED)


class LowBitWeight(WeightConstraint):
    """The nearest of 2**bits levels of a weight that goes on learning, with a scale for each output."""

    method = _METHOD

    def __init__(self, shape: tuple[int, ...], bits: int) -> None:
        super().__init__()
        self.shape, self.bits = shape, bits

    def forward(self, weight: Tensor) -> Tensor:
        """Round."""
        return round_to_levels(weight, self.bits)

    def store(self, learned: Tensor) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The levels, the outer ones as ±1."""
        levels = choose_levels(learned, self.bits)
        most = 2**self.bits - 1
        table = np.arange(-most, most + 1, 2, dtype=np.float32) / most  # small sums, which float16 holds
        return ((levels + most) / 2).byte().numpy(), table[None, :, None]

    @property
    def bits_per_weight(self) -> float:
        """Of the levels, and a float32 for each output."""
        return self.bits + 32 * self.shape[0] / math.prod(self.shape)


def select_inner_layers(
    model: nn.Module, config: TechniqueConfig, keep_first_and_last: bool
) -> tuple[dict[str, CompressibleLayer], tuple[SkippedLayer, ...]]:
    """The layers that few bits are for: neither depthwise ones nor, unless they are named, the first and the last."""
    layers, shared = select_layers(model, config)
    names = list(layers)
    ends = {names[0], names[-1]} if keep_first_and_last and names and config.layers is None else set()
    reasons = {
        name: "depthwise: each filter would have a scale for its few weights"
        if is_depthwise(layer)
        else "first or last"
        for name, layer in layers.items()
        if is_depthwise(layer) or name in ends
    }
    kept = {name: layer for name, layer in layers.items() if name not in reasons}
    return kept, (*shared, *(SkippedLayer(name, reason) for name, reason in reasons.items()))


def _transform_(model: nn.Module, config: LowBitsConfig, images: Tensor) -> Outcome:
    layers, skipped = select_inner_layers(model, config, config.keep_first_and_last)
    decisions = {}
    for name, layer in layers.items():
        round_(layer, config.weight_bits)
        decisions[name] = Decision(f"{config.weight_bits} bits", {"bits": config.weight_bits})
    if config.activation_bits is not None:
        rounded, inactive = round_activations_(model, config.activation_bits, images)
        decisions |= rounded
        skipped += tuple(inactive)
    return Outcome(decisions, skipped)


def round_(layer: CompressibleLayer, bits: int) -> None:
    """Let the layer multiply with levels."""
    parametrize.register_parametrization(layer, "weight", LowBitWeight(layer.weight.shape, bits))


def _restructure_(model: nn.Module, layers: Mapping[str, Any]) -> None:
    for name, structure in layers.items():
        if "activation" in structure:
            model.set_submodule(name, RoundedReLU(structure["bits"]))
        else:
            round_(find_layer(model, name), structure["bits"])


def _ladder(config: LowBitsConfig) -> tuple[LowBitsConfig, ...]:
    return tuple(dataclasses.replace(config, weight_bits=value) for value in _BITS[::-1])


TECHNIQUE = Technique(
    LowBitsConfig,
    _transform_,
    _restructure_,
    ladder=_ladder,
    needs_images=lambda config: config.activation_bits is not None,
    clashes=ANY_CONSTRAINT,
)
