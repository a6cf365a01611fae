"""Magnitude pruning: the smallest weights become zero and stay it, while the others go on learning."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mobisdk.compression.constraint import WeightConstraint, list_constraints
from mobisdk.compression.layer_selection import find_layer, select_layers
from mobisdk.compression.result import SkippedLayer
from mobisdk.compression.technique import Decision, Outcome, Technique, TechniqueConfig
from mobisdk.errors import ConfigError

_METHOD = "prune"
_LADDER = (0.3, 0.5, 0.65, 0.8, 0.9, 0.95)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MagnitudePruningConfig(TechniqueConfig):
    """Which share of each layer's weights becomes zero.

    Source: Han et al. 2015 (arXiv:1510.00149), section 2.
    """

    method = _METHOD
    sparsity: float = 0.8
    steps: int = 1
    """The share grows in so many steps, with fine-tuning behind each."""

    def __post_init__(self) -> None:
        """Check the share."""
        super().__post_init__()
        if not 0 < self.sparsity < 1:
            raise ConfigError("sparsity must be a share", got=self.sparsity, allowed="0 < sparsity < 1")
        if not isinstance(self.steps, int) or not 1 <= self.steps <= 100:
            raise ConfigError("steps must be a whole number", got=self.steps, allowed="1 to 100")


class Mask(WeightConstraint):
    """Keeps the weights where `kept` is true, and zeros elsewhere."""

    method = _METHOD
    kept: Tensor

    def __init__(self, kept: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, weight: Tensor) -> Tensor:
        """The masked weight."""
        return weight * self.kept

    @property
    def bits_per_weight(self) -> float:
        """32 bits for each weight that is kept, and one bit that says whether it is: Core ML's sparse format."""
        return 1 + 32 * float(self.kept.float().mean())


def _stages(config: MagnitudePruningConfig) -> tuple[MagnitudePruningConfig, ...]:
    """Fast at first, while much is redundant, and slower towards the end.

    Source: Zhu and Gupta 2017 (arXiv:1710.01878), equation 1.
    """
    shares = (1 - (1 - step / config.steps) ** 3 for step in range(1, config.steps + 1))
    return tuple(dataclasses.replace(config, sparsity=config.sparsity * share) for share in shares)


def _ladder(config: MagnitudePruningConfig) -> tuple[MagnitudePruningConfig, ...]:
    return tuple(dataclasses.replace(config, sparsity=sparsity) for sparsity in _LADDER)


def _transform_(model: nn.Module, config: MagnitudePruningConfig, images: Tensor) -> Outcome:  # noqa: ARG001
    layers, shared = select_layers(model, config)
    decisions, skipped = {}, list(shared)
    for name, layer in layers.items():
        zeros = math.floor(config.sparsity * layer.weight.numel())
        if zeros == 0:
            skipped.append(SkippedLayer(name, f"it has {layer.weight.numel()} weights: none is to be cut"))
            continue
        # What is cut already is zero, and stays cut.
        mask_(layer, keep_largest(layer.weight, zeros))
        decisions[name] = Decision(f"{zeros} of {layer.weight.numel()} weights are zero", {})
    return Outcome(decisions, tuple(skipped))


def keep_largest(weight: Tensor, zeros: int) -> Tensor:
    """A mask of all but the `zeros` smallest magnitudes; of equal ones the earlier goes."""
    order = weight.abs().flatten().argsort(stable=True)
    kept = torch.ones(weight.numel(), dtype=torch.bool)
    kept[order[:zeros]] = False
    return kept.reshape(weight.shape)


def mask_(layer: nn.Module, kept: Tensor) -> None:
    """Put a mask on the layer's weight, or in the place of the one that is there."""
    for constraint in list_constraints(layer):
        if isinstance(constraint, Mask):
            constraint.kept = kept
            return
    parametrize.register_parametrization(layer, "weight", Mask(kept))


def _restructure_(model: nn.Module, layers: Mapping[str, Any]) -> None:
    for name in layers:
        layer = find_layer(model, name)
        mask_(layer, torch.ones_like(layer.weight, dtype=torch.bool))


TECHNIQUE = Technique(MagnitudePruningConfig, _transform_, _restructure_, ladder=_ladder, stages=_stages)
