"""`compress_`: a network and a technique's config in; the network, smaller, and what was done."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mobisdk.compression.constraint import constrained_layers, stored_bits
from mobisdk.compression.result import CompressionResult, LayerChange
from mobisdk.compression.technique import ANY_CONSTRAINT, TechniqueConfig, find_technique
from mobisdk.cost import count_cost
from mobisdk.errors import ConfigError, DataError, MobiError
from mobisdk.models.evaluation_mode import evaluation_mode

_USUAL_SHAPE = (1, 3, 224, 224)


def compress_(module: nn.Module, config: TechniqueConfig, *, images: Tensor | None = None) -> CompressionResult:
    """Compress `module` in place with the technique of the config's class.

    `images` are normalized, (N,3,H,W), as the network takes them. Without them, what depends on the images is refused
    and multiply-adds are counted at 224×224.

    Raises:
        ConfigError: the technique would undo what was done before, needs images, or a setting does not fit the network.
        UnsupportedError: the network cannot be traced, where the technique must follow it.
    """
    technique = find_technique(config.method)
    if type(config) is not technique.config:
        raise ConfigError("the config is of another technique", got=config, allowed=technique.config.__name__)
    check_clash(module, config)
    if images is None and technique.needs_images(config):
        raise ConfigError(f"{config.method} with these settings follows the network's own responses: it needs images")
    sample = torch.zeros(_USUAL_SHAPE) if images is None else images
    shape = (1, *sample.shape[1:])
    before = _measure(module, shape)
    with evaluation_mode(module), torch.no_grad():
        outcome = technique.transform_(module, config, sample)
    after = _measure(module, shape)
    changed = []
    for name, decision in outcome.decisions.items():
        old, new = _sum_below(before, name), _sum_below(after, name)
        bits = new.weight_bits / new.weights if new.weights else 0.0
        changed.append(
            LayerChange(name, decision.done, old.params, new.params, old.macs, new.macs, bits, new.size_bytes)
        )
    old, new = _sum_below(before, ""), _sum_below(after, "")
    settings = dataclasses.asdict(config)
    settings.pop("layers")
    record = {
        "method": config.method,
        "settings": settings,
        "layers": {name: decision.structure for name, decision in outcome.decisions.items()},
    }
    return CompressionResult(
        tuple(changed),
        outcome.skipped,
        record,
        old.params,
        new.params,
        old.macs,
        new.macs,
        old.size_bytes,
        new.size_bytes,
    )


def restructure_(module: nn.Module, records: Iterable[Mapping[str, Any]]) -> None:
    """Give a freshly created network the structure that compressions left behind, so that its weights can be loaded.

    Raises:
        DataError: a record is of a method that is unknown here, or does not fit the network.
    """
    for record in records:
        try:
            method = record["method"]
            technique = find_technique(method)
            with torch.no_grad():
                technique.restructure_(module, record["layers"])
        except (MobiError, AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise DataError(f"the checkpoint's compression does not fit its network ({error})", got=record) from error


def check_clash(module: nn.Module, config: TechniqueConfig) -> None:
    """Refuse a technique that would undo what another one did to the layers that it is for.

    Raises:
        ConfigError: names the layers and the other technique.
    """
    method, clashes = config.method, find_technique(config.method).clashes
    for earlier, constrained in constrained_layers(module).items():
        layers = [name for name in constrained if config.layers is None or name in config.layers]
        if layers and (earlier in clashes or clashes == ANY_CONSTRAINT):
            raise ConfigError(
                f"{method} would undo what {earlier} did to {len(layers)} layers",
                got=layers[0],
                hint=f"Do it before: --method {method},{earlier}",
            )


@dataclasses.dataclass(frozen=True)
class _Figures:
    params: int = 0
    macs: int = 0
    weights: int = 0
    """That are multiplied with, however they are stored."""
    weight_bits: float = 0.0
    size_bytes: int = 0


def _measure(module: nn.Module, shape: tuple[int, ...]) -> dict[str, _Figures]:
    """By layer that has parameters."""
    figures = {}
    for layer in count_cost(module, shape).layers:
        submodule = module.get_submodule(layer.name)
        bits = stored_bits(submodule)
        weights = submodule.weight.numel() if isinstance(submodule, nn.Conv2d | nn.Linear) else layer.weights
        rest = 4 * (layer.params - layer.weights)
        figures[layer.name] = _Figures(
            layer.params, layer.macs, weights, weights * bits, round(weights * bits / 8) + rest
        )
    return figures


def _sum_below(figures: Mapping[str, _Figures], name: str) -> _Figures:
    """The layer itself, or all that has taken its place."""
    inside = [figure for path, figure in figures.items() if not name or path == name or path.startswith(f"{name}.")]
    return _Figures(*(sum(values) for values in zip(*map(dataclasses.astuple, inside), strict=True)))
