"""Deep Compression: pruned weights share few values, which go on learning; `.mdc` packs them with Huffman codes."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mobisdk.compression.clustering import cluster_values
from mobisdk.compression.constraint import WeightConstraint
from mobisdk.compression.layer_selection import CompressibleLayer, find_layer, select_layers
from mobisdk.compression.magnitude_pruning import keep_largest
from mobisdk.compression.mdc_encoding import measure_shared
from mobisdk.compression.result import SkippedLayer
from mobisdk.compression.shared_weights import SharedWeights
from mobisdk.compression.technique import Decision, Outcome, Technique, TechniqueConfig
from mobisdk.errors import ConfigError
from mobisdk.layers.parametrized import remove_parametrizations_

_METHOD = "deep_compression"
_MOST_BITS = 8
_FEWEST_WEIGHTS_A_CENTROID = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepCompressionConfig(TechniqueConfig):
    """Bits of a code, one code of which is zero's; and which share of each layer's weights becomes zero.

    Source: Han et al. 2015 (arXiv:1510.00149); bits of convolutions and dense layers: section 5.
    """

    method = _METHOD
    convolution_bits: int = 8
    dense_bits: int = 5
    sparsity: float = 0.0
    """Besides what was pruned before. Pruning first, and training before weights are shared, loses less."""

    def __post_init__(self) -> None:
        """Check bits and share."""
        super().__post_init__()
        for name in ("convolution_bits", "dense_bits"):
            bits = getattr(self, name)
            if not 1 <= bits <= _MOST_BITS:
                raise ConfigError(f"{name} must fit a byte", got=bits, allowed=f"1 to {_MOST_BITS}")
        if not 0 <= self.sparsity < 1:
            raise ConfigError("sparsity must be a share", got=self.sparsity, allowed="0 ≤ sparsity < 1")


class SharedWeight(WeightConstraint):
    """(K,) centroids → a weight that has one of them, or zero, in each place.

    A centroid's gradient is the sum of its weights'. Source: Han et al. 2015 (arXiv:1510.00149), section 3.3.
    """

    method = _METHOD
    codes: Tensor
    """In the weight's shape, uint8: 0 for a pruned weight, k for centroid k - 1."""

    def __init__(self, codes: Tensor, centroids: Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes)
        self._first = centroids

    def forward(self, centroids: Tensor) -> Tensor:
        """Look every weight up."""
        table = torch.cat([centroids.new_zeros(1), centroids])
        return table.index_select(0, self.codes.flatten().int()).view(self.codes.shape)

    def right_inverse(self, weight: Tensor) -> Tensor:  # noqa: ARG002
        """The centroids that were found for the weight."""
        return self._first

    def store(self, learned: Tensor) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Zero's entry stands first."""
        table = np.concatenate([np.zeros(1, np.float32), learned.numpy()])
        return self.codes.numpy(), table[None, :, None]

    @property
    def bits_per_weight(self) -> float:
        """In a `.mdc` file, tables and codebook included."""
        centroids = np.zeros(len(self._first), np.float32)
        return 8 * measure_shared(SharedWeights(centroids, self.codes.numpy())) / self.codes.numel()


def _transform_(model: nn.Module, config: DeepCompressionConfig, images: Tensor) -> Outcome:  # noqa: ARG001
    layers, shared = select_layers(model, config)
    decisions, skipped = {}, list(shared)
    for name, layer in layers.items():
        weight = layer.weight.detach()
        weight = weight * keep_largest(weight, math.floor(config.sparsity * weight.numel()))
        bits = config.convolution_bits if isinstance(layer, nn.Conv2d) else config.dense_bits
        left = int(weight.count_nonzero())
        centroids = 2**bits - 1
        if left < _FEWEST_WEIGHTS_A_CENTROID * centroids:
            skipped.append(SkippedLayer(name, f"{left} weights are too few to share {centroids} values"))
            continue
        table = share_(layer, weight, centroids)
        structure = {"centroids": len(table)}
        decisions[name] = Decision(f"{left} of {weight.numel()} weights share {len(table)} values", structure)
    return Outcome(decisions, tuple(skipped))


def share_(layer: CompressibleLayer, weight: Tensor, centroids: int) -> Tensor:
    """Let the layer's weight be `weight` with at most so many values beside zero; return them.

    What constrained the weight before is gone: zeros are codes now.
    """
    flat = weight.flatten().numpy()
    codes = np.zeros(flat.shape, np.uint8)
    kept = flat[flat != 0]
    table, places = cluster_values(kept, centroids, spread_linearly(kept, centroids))
    codes[flat != 0] = places + 1
    found = torch.from_numpy(table.astype(np.float32))
    constraint = SharedWeight(torch.from_numpy(codes).view(weight.shape), found)
    _constrain_(layer, constraint)
    return found


def spread_linearly(values: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """`count` numbers in equal steps from the least value to the largest, the gap around zero left out.

    Large weights are few and matter most: they get centroids of their own. In the gap that pruning leaves a centroid
    would get no weight.

    Source: Han et al. 2015 (arXiv:1510.00149), section 3.2.
    """
    low, high = (values[values < 0], values[values > 0])
    ends = [(float(side.min()), float(side.max())) for side in (low, high) if len(side)]
    lengths = np.array([end - start for start, end in ends])
    reached = np.concatenate([[0], np.cumsum(lengths)])
    steps = np.linspace(0, reached[-1], count)
    side = np.minimum(np.searchsorted(reached[1:], steps, side="left"), len(ends) - 1)
    spread: NDArray[np.float64] = np.array(ends)[side, 0] + steps - reached[side]
    return spread


def _constrain_(layer: CompressibleLayer, constraint: SharedWeight) -> None:
    remove_parametrizations_(layer)
    parametrize.register_parametrization(layer, "weight", constraint)


def _restructure_(model: nn.Module, layers: Mapping[str, Any]) -> None:
    for name, structure in layers.items():
        layer = find_layer(model, name)
        codes = torch.zeros(layer.weight.shape, dtype=torch.uint8)
        _constrain_(layer, SharedWeight(codes, torch.zeros(structure["centroids"])))


def _ladder(config: DeepCompressionConfig) -> tuple[DeepCompressionConfig, ...]:
    return tuple(dataclasses.replace(config, sparsity=value) for value in (0.5, 0.7, 0.8, 0.9, 0.95))


TECHNIQUE = Technique(
    DeepCompressionConfig,
    _transform_,
    _restructure_,
    ladder=_ladder,
    clashes=frozenset({"binary", _METHOD, "fixed_point", "hash", "low_bits", "product_quantization"}),
)
