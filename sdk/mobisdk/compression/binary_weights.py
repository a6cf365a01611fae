"""Binary weights: BinaryConnect's signs, or XNOR-Net's with a scale for each output; activations too where asked."""

import dataclasses
import math
import typing
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mobisdk.compression.constraint import WeightConstraint
from mobisdk.compression.layer_selection import find_layer
from mobisdk.compression.low_bits import select_inner_layers
from mobisdk.compression.rounded_activation import SignActivation
from mobisdk.compression.rounding import binarize, scale_binary
from mobisdk.compression.technique import ANY_CONSTRAINT, Decision, Outcome, Technique, TechniqueConfig
from mobisdk.errors import ConfigError

_METHOD = "binary"
Scaling = Literal["output", "none"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class BinaryWeightsConfig(TechniqueConfig):
    """Signs in the place of weights.

    Source: Courbariaux et al. 2015 (arXiv:1511.00363), Rastegari et al. 2016 (arXiv:1603.05279).
    """

    method = _METHOD
    scaling: Scaling = "output"
    """`output`: XNOR-Net's mean magnitude of each output's filter; `none`: BinaryConnect's ±1."""
    activations: bool = False
    """XNOR-Net proper: each ReLU becomes a scaled sign."""
    keep_first_and_last: bool = True
    """As the papers do: these two layers lose most and weigh least."""

    def __post_init__(self) -> None:
        """Check the scaling."""
        super().__post_init__()
        if self.scaling not in typing.get_args(Scaling):
            raise ConfigError("scaling is unknown", got=self.scaling, allowed=", ".join(typing.get_args(Scaling)))


class BinaryWeight(WeightConstraint):
    """The signs of a weight that goes on learning, scaled or not."""

    method = _METHOD

    def __init__(self, shape: tuple[int, ...], scaling: Scaling) -> None:
        super().__init__()
        self.shape, self.scaling = shape, scaling

    def forward(self, weight: Tensor) -> Tensor:
        """±1, or ±α."""
        return scale_binary(weight) if self.scaling == "output" else binarize(weight)

    def store(self, learned: Tensor) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Zero is -1, one is 1."""
        return (learned >= 0).byte().numpy(), np.array([-1, 1], np.float32)[None, :, None]

    @property
    def bits_per_weight(self) -> float:
        """One, and a float32 for each output where it is scaled."""
        scales = self.shape[0] if self.scaling == "output" else 0
        return 1 + 32 * scales / math.prod(self.shape)


def _transform_(model: nn.Module, config: BinaryWeightsConfig, images: Tensor) -> Outcome:  # noqa: ARG001
    layers, skipped = select_inner_layers(model, config, config.keep_first_and_last)
    decisions = {}
    for name, layer in layers.items():
        binarize_(layer, config.scaling)
        decisions[name] = Decision("binary", {"scaling": config.scaling})
    if config.activations:
        for name, module in list(model.named_modules()):
            if isinstance(module, nn.ReLU | nn.ReLU6):
                model.set_submodule(name, SignActivation())
                decisions[name] = Decision("its sign, scaled", {"activation": "sign"})
    return Outcome(decisions, skipped)


def binarize_(layer: nn.Conv2d | nn.Linear, scaling: Scaling) -> None:
    """Let the layer multiply with signs."""
    parametrize.register_parametrization(layer, "weight", BinaryWeight(layer.weight.shape, scaling))


def _restructure_(model: nn.Module, layers: Mapping[str, Any]) -> None:
    for name, structure in layers.items():
        if "activation" in structure:
            model.set_submodule(name, SignActivation())
        else:
            binarize_(find_layer(model, name), structure["scaling"])


TECHNIQUE = Technique(BinaryWeightsConfig, _transform_, _restructure_, clashes=ANY_CONSTRAINT)
