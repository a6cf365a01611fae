"""What a technique is: a config's class, a transform, and how its structure is built again.

A technique is one file with a constant `TECHNIQUE` in it, and one line in `_MODULES`.
"""

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from mobisdk.compression.result import SkippedLayer
from mobisdk.errors import ConfigError

ANY_CONSTRAINT = frozenset({"*"})
"""For a technique that makes new weights out of a layer's: whatever constrained those is undone."""

_MODULES = {
    "binary": "binary_weights",
    "cp": "cp",
    "deep_compression": "deep_compression",
    "fixed_point": "fixed_point",
    "hash": "hashing",
    "low_bits": "low_bits",
    "low_rank": "low_rank",
    "product_quantization": "product_quantization",
    "prune": "magnitude_pruning",
    "prune_channels": "channel_pruning",
    "structured": "structured_transforms",
}
"""Method → module of this package."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TechniqueConfig:
    """Settings of a technique: the same settings, weights and images give the same network.

    Raises:
        ConfigError: a value is outside what is allowed.
    """

    method: ClassVar[str]
    layers: tuple[str, ...] | None = None
    """Only these, by their names in `named_modules()`; None is every one that the technique applies to."""

    def __post_init__(self) -> None:
        """Make a tuple of what JSON brought as a list."""
        if self.layers is not None:
            object.__setattr__(self, "layers", tuple(self.layers))


@dataclasses.dataclass(frozen=True)
class Decision:
    """What a technique did to one layer."""

    done: str
    """In words, for a table."""
    structure: dict[str, Any]
    """All that is needed to build the layer again before its weights are loaded, as JSON: ranks, codebook sizes …"""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a transform did, by layer, in the order in which it did it."""

    decisions: dict[str, Decision]
    skipped: tuple[SkippedLayer, ...] = ()


@dataclasses.dataclass(frozen=True)
class Technique:
    """One way to compress."""

    config: type[TechniqueConfig]
    transform_: Callable[[nn.Module, Any, Tensor], Outcome]
    """Network, config, normalized images (N,3,H,W): changes the network in place, in evaluation mode, without grad."""
    restructure_: Callable[[nn.Module, Mapping[str, Any]], None]
    """Gives a fresh network the structure that `Decision.structure` holds, by layer; weights do not matter yet."""
    needs_images: Callable[[Any], bool] = lambda _: False
    """Whether this config's result depends on the images, and not only on their shape."""
    ladder: Callable[[Any], tuple[TechniqueConfig, ...]] = lambda _: ()
    """From a config the settings that a total target chooses from for each layer, the gentlest first."""
    stages: Callable[[Any], tuple[TechniqueConfig, ...]] = lambda config: (config,)
    """What is applied one after the other, with fine-tuning behind each; the last one's record stands for all."""
    clashes: frozenset[str] = frozenset()
    """Methods whose constraints it would undo: it is refused after them."""


def find_technique(method: str) -> Technique:
    """Look up a technique by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    if method not in _MODULES:
        raise ConfigError("the compression method is unknown", got=method, allowed=", ".join(list_methods()))
    technique: Technique = importlib.import_module(f"mobisdk.compression.{_MODULES[method]}").TECHNIQUE
    return technique


def list_methods() -> list[str]:
    """Every method's name, sorted."""
    return sorted(_MODULES)
