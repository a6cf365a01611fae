"""Vector and product quantization: neighbouring weights are one of few vectors, chosen for what the layer answers."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mobisdk.compression.clustering import cluster_vectors
from mobisdk.compression.constraint import WeightConstraint
from mobisdk.compression.layer_selection import CompressibleLayer, find_layer, select_layers
from mobisdk.compression.response_correction import LayerInputs, correct_codes, sample_inputs
from mobisdk.compression.result import SkippedLayer
from mobisdk.compression.technique import ANY_CONSTRAINT, Decision, Outcome, Technique, TechniqueConfig
from mobisdk.errors import ConfigError
from mobisdk.layers.parametrized import remove_parametrizations_, without_parametrizations

_METHOD = "product_quantization"
_MOST_BITS = 8
_FEWEST_VECTORS_A_CODEWORD = 4
Codebooks = Literal["layer", "subspace"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProductQuantizationConfig(TechniqueConfig):
    """Vectors of how many inputs, codewords of how many bits, and who shares a codebook.

    Source: Wu et al. 2016 (arXiv:1512.06473), section 3; a codebook for the whole layer: Gong et al. 2014
    (arXiv:1412.6115).
    """

    method = _METHOD
    vector: int = 4
    bits: int = 8
    codebooks: Codebooks = "layer"
    """`layer`: one, which small layers can afford; `subspace`: the paper's, one for each group of inputs."""
    correct_error: bool = True
    """Choose codes and codewords for the layer's responses on images, not for its weights alone."""

    def __post_init__(self) -> None:
        """Check sizes."""
        super().__post_init__()
        if not 1 <= self.bits <= _MOST_BITS:
            raise ConfigError("bits must fit a byte", got=self.bits, allowed=f"1 to {_MOST_BITS}")
        if not 2 <= self.vector <= 64:
            raise ConfigError("vector must be several inputs", got=self.vector, allowed="2 to 64")
        if self.codebooks not in typing.get_args(Codebooks):
            raise ConfigError("codebooks is unknown", got=self.codebooks, allowed=", ".join(typing.get_args(Codebooks)))


class CodewordWeight(WeightConstraint):
    """(books, 2**bits, vector) codewords → a weight (out, in, …) whose neighbouring inputs are one of them."""

    method = _METHOD
    codes: Tensor
    """(out, in / vector, …), uint8."""

    def __init__(self, codes: Tensor, codewords: Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes)
        self._first = codewords

    def forward(self, codewords: Tensor) -> Tensor:
        """Look every vector up."""
        return look_up(codewords, self.codes)

    def right_inverse(self, weight: Tensor) -> Tensor:  # noqa: ARG002
        """The codewords that were found for the weight."""
        return self._first

    def store(self, learned: Tensor) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The codewords themselves."""
        return self.codes.numpy(), learned.numpy()

    @property
    def bits_per_weight(self) -> float:
        """Codes, and codewords of float32."""
        _, codewords, vector = self._first.shape
        bits = (codewords - 1).bit_length()
        return bits / vector + 32 * self._first.numel() / (self.codes.numel() * vector)


def look_up(codewords: Tensor, codes: Tensor) -> Tensor:
    """The weight (out, in, …) of `codes` (out, in / vector, …)."""
    books, count, vector = codewords.shape
    rows = codes.int()
    if books > 1:
        rows = rows + count * torch.arange(books, dtype=torch.int32, device=codes.device).view(
            1, -1, *[1] * (codes.dim() - 2)
        )
    vectors = codewords.flatten(0, 1).index_select(0, rows.flatten()).view(*codes.shape, vector)
    return vectors.movedim(-1, 2).flatten(1, 2)


def cluster_weight(weight: Tensor, vector: int, bits: int, codebooks: Codebooks) -> tuple[Tensor, Tensor]:
    """Codes (out, in / vector, …) and codewords (books, 2**bits, vector) that are near to the weight itself."""
    split = weight.view(len(weight), -1, vector, *weight.shape[2:]).movedim(2, -1)  # (out, in / vector, …, vector)
    books = split.transpose(0, 1).flatten(1, -2) if codebooks == "subspace" else split.reshape(1, -1, vector)
    found = [cluster_vectors(book.numpy(), 2**bits) for book in books]
    codewords = torch.stack([torch.from_numpy(table) for table, _ in found])
    codes = torch.stack([torch.from_numpy(places) for _, places in found])
    if codebooks == "subspace":
        return codes.view(split.shape[1], split.shape[0], *split.shape[2:-1]).transpose(0, 1).contiguous(), codewords
    return codes.view(split.shape[:-1]), codewords


def _transform_(model: nn.Module, config: ProductQuantizationConfig, images: Tensor) -> Outcome:
    layers, shared = select_layers(model, config)
    reasons = {name: reason for name, layer in layers.items() if (reason := _reason_to_skip(layer, config))}
    chosen = {name: layer for name, layer in layers.items() if name not in reasons}
    wanted: dict[str, LayerInputs] = {}
    if config.correct_error:
        # What the network answers before anything of it changes.
        wanted = sample_inputs(without_parametrizations(model), list(chosen), images)
    decisions = {}
    for name, layer in chosen.items():
        weight = layer.weight.detach().clone()
        codes, codewords = cluster_weight(weight, config.vector, config.bits, config.codebooks)
        _constrain_(layer, CodewordWeight(codes, codewords))
        corrected = name in wanted
        if corrected:
            # Its inputs are by now those of layers that have changed.
            actual = sample_inputs(model, [name], images)[name]
            codes, codewords = correct_codes(weight, codes, codewords, wanted[name], actual)
            _constrain_(layer, CodewordWeight(codes, codewords))
        done = f"{codewords.shape[0]} × {codewords.shape[1]} vectors of {config.vector}"
        structure = {"vector": config.vector, "codewords": codewords.shape[1], "books": codewords.shape[0]}
        decisions[name] = Decision(done if corrected else f"{done}, for its weights alone", structure)
    return Outcome(decisions, (*shared, *(SkippedLayer(name, reason) for name, reason in reasons.items())))


def _reason_to_skip(layer: CompressibleLayer, config: ProductQuantizationConfig) -> str | None:
    if isinstance(layer, nn.Conv2d) and layer.groups > 1:
        return "its filters are in groups"
    inputs = layer.weight.shape[1]
    if inputs % config.vector:
        return f"its {inputs} inputs are no multiple of {config.vector}"
    vectors = layer.weight.numel() // config.vector
    if config.codebooks == "subspace":
        vectors //= inputs // config.vector
    if vectors < _FEWEST_VECTORS_A_CODEWORD * 2**config.bits:
        return f"{vectors} vectors are too few to share {2**config.bits}"
    return None


def _constrain_(layer: CompressibleLayer, constraint: CodewordWeight) -> None:
    remove_parametrizations_(layer)
    parametrize.register_parametrization(layer, "weight", constraint)


def _restructure_(model: nn.Module, layers: Mapping[str, Any]) -> None:
    for name, structure in layers.items():
        layer = find_layer(model, name)
        vector, books = structure["vector"], structure["books"]
        outputs, inputs, *kernel = layer.weight.shape
        if inputs % vector or books not in (1, inputs // vector):
            raise ValueError(f"{books} codebooks of vectors of {vector} for {inputs} inputs")
        codes = torch.zeros(outputs, inputs // vector, *kernel, dtype=torch.uint8)
        _constrain_(layer, CodewordWeight(codes, torch.zeros(books, structure["codewords"], vector)))


def _ladder(config: ProductQuantizationConfig) -> tuple[ProductQuantizationConfig, ...]:
    return tuple(dataclasses.replace(config, vector=value) for value in (2, 4, 8))


TECHNIQUE = Technique(
    ProductQuantizationConfig,
    _transform_,
    _restructure_,
    ladder=_ladder,
    needs_images=lambda config: config.correct_error,
    clashes=ANY_CONSTRAINT,
)
