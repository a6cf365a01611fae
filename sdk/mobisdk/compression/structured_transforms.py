"""Structured transforms: dense layers and 1×1 convolutions become matrices of few numbers."""

import dataclasses
import typing
import zlib
from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn

from mobisdk.compression.layer_selection import CompressibleLayer, find_layer, select_layers
from mobisdk.compression.result import SkippedLayer
from mobisdk.compression.structured_projection import project_fastfood, project_toeplitz_like_, refine_
from mobisdk.compression.technique import ANY_CONSTRAINT, Decision, Outcome, Technique, TechniqueConfig
from mobisdk.errors import ConfigError
from mobisdk.layers import FastfoodLinear, PointwiseStructured, StructuredLinear, ToeplitzLikeLinear

_METHOD = "structured"
Kind = Literal["toeplitz_like", "fastfood"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StructuredTransformsConfig(TechniqueConfig):
    """Which structure.

    Source: Sindhwani et al. 2015 (arXiv:1510.01722); Yang et al. 2014 (arXiv:1412.7149).
    """

    method = _METHOD
    kind: Kind = "toeplitz_like"
    rank: int = 4
    """Displacement rank; fastfood has none."""

    def __post_init__(self) -> None:
        """Check kind and rank."""
        super().__post_init__()
        if self.kind not in typing.get_args(Kind):
            raise ConfigError("kind is unknown", got=self.kind, allowed=", ".join(typing.get_args(Kind)))
        if not 1 <= self.rank <= 64:
            raise ConfigError("rank must be small", got=self.rank, allowed="1 to 64")


def _transform_(model: nn.Module, config: StructuredTransformsConfig, images: Tensor) -> Outcome:  # noqa: ARG001
    layers, shared = select_layers(model, config)
    decisions, skipped = {}, list(shared)
    for name, layer in layers.items():
        reason = _reason_to_skip(layer, config)
        if reason is not None:
            skipped.append(SkippedLayer(name, reason))
            continue
        matrix = layer.weight.detach().flatten(1)
        structured = _project(matrix, config, seed=zlib.crc32(name.encode()))
        if layer.bias is not None:
            structured.bias.data.copy_(layer.bias.detach())
        _replace_(model, name, layer, structured)
        numbers = sum(parameter.numel() for parameter in structured.parameters()) - structured.bias.numel()
        words = f"{numbers} numbers for {matrix.numel()}"
        decisions[name] = Decision(words, {"kind": config.kind, "rank": config.rank})
    return Outcome(decisions, tuple(skipped))


def _reason_to_skip(layer: CompressibleLayer, config: StructuredTransformsConfig) -> str | None:
    if isinstance(layer, nn.Conv2d):
        if set(layer.kernel_size) != {1} or any(layer.padding):
            return "its filters are larger than 1×1"
        if layer.groups > 1:
            return "its filters are in groups"
    numbers = _count_numbers(layer.weight.shape[0], layer.weight.shape[1], config)
    if 2 * numbers > layer.weight.numel():
        return f"{config.kind} would take {numbers} numbers for its {layer.weight.numel()}"
    return None


def _count_numbers(outputs: int, inputs: int, config: StructuredTransformsConfig) -> int:
    size = max(outputs, inputs)
    if config.kind == "toeplitz_like":
        return 2 * config.rank * size
    return 3 * (1 << (size - 1).bit_length())


def _project(matrix: Tensor, config: StructuredTransformsConfig, seed: int) -> StructuredLinear:
    if config.kind == "fastfood":
        return project_fastfood(matrix, seed)
    layer = ToeplitzLikeLinear(matrix.shape[1], matrix.shape[0], config.rank)
    project_toeplitz_like_(layer, matrix)
    refine_(layer, matrix)
    return layer


def _replace_(model: nn.Module, name: str, layer: CompressibleLayer, structured: StructuredLinear) -> None:
    replacement: nn.Module = structured
    if isinstance(layer, nn.Conv2d):
        replacement = PointwiseStructured(structured, (layer.stride[0], layer.stride[1]))
    model.set_submodule(name, replacement.train(layer.training))


def _restructure_(model: nn.Module, layers: Mapping[str, Any]) -> None:
    for name, structure in layers.items():
        layer = find_layer(model, name)
        outputs, inputs = layer.weight.shape[:2]
        if structure["kind"] == "fastfood":
            structured: StructuredLinear = FastfoodLinear(inputs, outputs)
        else:
            structured = ToeplitzLikeLinear(inputs, outputs, structure["rank"])
        _replace_(model, name, layer, structured)


def _ladder(config: StructuredTransformsConfig) -> tuple[StructuredTransformsConfig, ...]:
    return tuple(dataclasses.replace(config, rank=value) for value in (16, 8, 4, 2, 1))


TECHNIQUE = Technique(StructuredTransformsConfig, _transform_, _restructure_, ladder=_ladder, clashes=ANY_CONSTRAINT)
