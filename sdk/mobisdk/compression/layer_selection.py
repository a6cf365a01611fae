"""Which layers a technique is let at."""

import difflib
from collections import Counter
from collections.abc import Iterator

from torch import nn

from mobisdk.compression.result import SkippedLayer
from mobisdk.compression.technique import TechniqueConfig
from mobisdk.errors import ConfigError, DataError
from mobisdk.layers.parametrized import is_inside_parametrization, parametrizations_of

CompressibleLayer = nn.Conv2d | nn.Linear


def select_layers(
    model: nn.Module, config: TechniqueConfig
) -> tuple[dict[str, CompressibleLayer], tuple[SkippedLayer, ...]]:
    """Convolutions and dense layers, all or those that `config` names; one whose weights others use too is skipped.

    Raises:
        ConfigError: `config` names a layer that is none.
    """
    found = dict(_list_layers(model))
    wanted = list(found) if config.layers is None else list(config.layers)
    if unknown := [name for name in wanted if name not in found]:
        nearest = difflib.get_close_matches(unknown[0], found, n=1, cutoff=0.0)
        raise ConfigError(
            "the network has no such convolution or dense layer",
            got=unknown[0],
            hint=f"Did you mean {nearest[0]}?" if nearest else None,
        )
    uses = Counter(_weight_id(layer) for layer in found.values())
    shared = {name for name in wanted if uses[_weight_id(found[name])] > 1}
    skipped = tuple(SkippedLayer(name, "its weights are used in several places") for name in wanted if name in shared)
    return {name: found[name] for name in wanted if name not in shared}, skipped


def find_layer(model: nn.Module, name: str) -> CompressibleLayer:
    """The layer that a record names.

    Raises:
        DataError: there is none, or it is neither convolution nor dense.
    """
    layer = dict(model.named_modules(remove_duplicate=False)).get(name)
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        raise DataError("the network has no such convolution or dense layer", got=name)
    return layer


def _list_layers(model: nn.Module) -> Iterator[tuple[str, CompressibleLayer]]:
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, nn.Conv2d | nn.Linear) and not is_inside_parametrization(name):
            yield name, module


def _weight_id(layer: CompressibleLayer) -> int:
    return id(parametrizations_of(layer).get("weight", layer.weight))
