"""The hashing trick: a layer's weights are looked up in few buckets, by a hash of their place."""

import dataclasses
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mobisdk.compression.constraint import WeightConstraint
from mobisdk.compression.layer_selection import find_layer, select_layers
from mobisdk.compression.result import SkippedLayer
from mobisdk.compression.technique import ANY_CONSTRAINT, Decision, Outcome, Technique, TechniqueConfig
from mobisdk.compression.xx_hash import hash_pairs
from mobisdk.errors import ConfigError
from mobisdk.layers.depthwise import is_depthwise

_METHOD = "hash"
_FEWEST_BUCKETS = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class HashingConfig(TechniqueConfig):
    """How many buckets a layer has for each of its weights.

    Source: Chen et al. 2015 (arXiv:1504.04788), section 4.
    """

    method = _METHOD
    share: float = 1 / 8
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the share and the seed."""
        super().__post_init__()
        if not 0 < self.share < 1:
            raise ConfigError("share must be of the weights", got=self.share, allowed="0 < share < 1")
        if not 0 <= self.seed < 2**32:
            raise ConfigError("seed must be a whole number of 32 bits", got=self.seed)


class HashedWeight(WeightConstraint):
    """(buckets,) → a weight of `shape`: W[i, j] = ξ(i, j) · w[h(i, j)], i an output, j one of its inputs.

    h is XXH32 with the layer's seed, ξ the lowest bit of XXH32 with its complement. Neither is stored.

    Source: Chen et al. 2015 (arXiv:1504.04788), equations 3 and 7.
    """

    method = _METHOD
    places: Tensor

    def __init__(self, shape: torch.Size, buckets: int, seed: int) -> None:
        super().__init__()
        self.shape, self.buckets = shape, buckets
        rows, columns = shape[0], shape[1:].numel()
        bucket = hash_pairs(rows, columns, seed) % np.uint32(buckets)
        is_negative = hash_pairs(rows, columns, ~seed) & np.uint32(1)
        places = torch.from_numpy((bucket + is_negative * np.uint32(buckets)).astype(np.int32).reshape(-1))
        self.register_buffer("places", places, persistent=False)

    def forward(self, buckets: Tensor) -> Tensor:
        """Look every weight up; its gradient goes to its bucket."""
        return torch.cat([buckets, -buckets]).index_select(0, self.places).view(self.shape)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The buckets that are nearest to a weight: each the mean of what it stands for."""
        sums = torch.zeros(2 * self.buckets, dtype=weight.dtype).index_add_(0, self.places, weight.flatten())
        counts = torch.bincount(self.places, minlength=2 * self.buckets)
        members = (counts[: self.buckets] + counts[self.buckets :]).clamp(min=1)
        return (sums[: self.buckets] - sums[self.buckets :]) / members

    @property
    def bits_per_weight(self) -> float:
        """Of the buckets alone."""
        return 32 * self.buckets / self.shape.numel()


def _transform_(model: nn.Module, config: HashingConfig, images: Tensor) -> Outcome:  # noqa: ARG001
    layers, shared = select_layers(model, config)
    decisions, skipped = {}, list(shared)
    for name, layer in layers.items():
        weights = layer.weight.numel()
        buckets = round(config.share * weights)
        if is_depthwise(layer):
            skipped.append(SkippedLayer(name, "depthwise: filters of a few weights would share them"))
        elif buckets < _FEWEST_BUCKETS:
            skipped.append(SkippedLayer(name, f"it has {weights} weights: {buckets} buckets are too few to share"))
        else:
            seed = zlib.crc32(name.encode(), config.seed)
            hash_(layer, buckets, seed)
            decisions[name] = Decision(f"{buckets} buckets for {weights} weights", {"buckets": buckets, "seed": seed})
    return Outcome(decisions, tuple(skipped))


def hash_(layer: nn.Conv2d | nn.Linear, buckets: int, seed: int) -> None:
    """Have the layer's weight looked up, from the buckets that are nearest to it."""
    parametrize.register_parametrization(layer, "weight", HashedWeight(layer.weight.shape, buckets, seed))


def _restructure_(model: nn.Module, layers: Mapping[str, Any]) -> None:
    for name, structure in layers.items():
        layer = find_layer(model, name)
        if not 0 < structure["buckets"] <= layer.weight.numel():
            raise ValueError(f"{structure['buckets']} buckets for {layer.weight.numel()} weights")
        hash_(layer, structure["buckets"], structure["seed"])


def _ladder(config: HashingConfig) -> tuple[HashingConfig, ...]:
    return tuple(dataclasses.replace(config, share=value) for value in (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32))


TECHNIQUE = Technique(HashingConfig, _transform_, _restructure_, ladder=_ladder, clashes=ANY_CONSTRAINT)
