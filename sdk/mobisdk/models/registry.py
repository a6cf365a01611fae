"""Every architecture by its name, each in a module that is imported only when a network is built."""

import difflib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobisdk.errors import ConfigError
from mobisdk.specs import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Architecture:
    """Where a network is built, and how it differs in training."""

    module: str
    """Of `mobisdk.models`; the builder in it bears the architecture's name."""
    rate_share: float = 1.0
    """Of an optimizer's usual highest learning rate."""
    rate_reason: str = ""
    """What about the network makes it another share than all of it: `has …`."""


_NO_NORM = "has no batch norm"
_ARCHITECTURES = {
    "bn_inception": Architecture("bn_inception"),
    "deep_fried": Architecture("deep_fried", 0.2, _NO_NORM),
    "factorized": Architecture("factorized"),
    "flattened": Architecture("flattened"),
    "inception_v3": Architecture("inception_v3"),
    "lenet_5": Architecture("lenet_5", 0.5, _NO_NORM),
    "mobilenet_v1": Architecture("mobilenet_v1"),
    "mobilenet_v1_full_conv": Architecture("mobilenet_v1"),
    "mobilenet_v1_shallow": Architecture("mobilenet_v1"),
    "mobilenet_v2": Architecture("mobilenet_v2"),
    "mobilenet_v3_large": Architecture("mobilenet_v3"),
    "mobilenet_v3_small": Architecture("mobilenet_v3"),
    "mobilenet_v4_conv_large": Architecture("mobilenet_v4"),
    "mobilenet_v4_conv_medium": Architecture("mobilenet_v4"),
    "mobilenet_v4_conv_small": Architecture("mobilenet_v4"),
    "squeezenet_1_0": Architecture("squeezenet", 0.1, _NO_NORM),
    "squeezenet_1_1": Architecture("squeezenet", 0.1, _NO_NORM),
    "structured_transform": Architecture("structured_transform", 0.1, _NO_NORM),
    "xception": Architecture("xception"),
}


def list_models() -> list[str]:
    """Names that `ModelSpec.arch` may take, sorted."""
    return sorted(_ARCHITECTURES)


def find_architecture(name: str) -> Architecture:
    """Look one up.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in _ARCHITECTURES:
        nearest = difflib.get_close_matches(name, _ARCHITECTURES, n=1, cutoff=0.0)
        raise ConfigError(
            "arch is unknown", got=name, allowed=", ".join(list_models()), hint=f"Did you mean {nearest[0]}?"
        )
    return _ARCHITECTURES[name]


def create_model(spec: ModelSpec) -> "nn.Module":
    """Build the network: normalized (N,3,H,W) float32 in, (N,num_classes) logits out; weights from torch's generator.

    Raises:
        ConfigError: the architecture is unknown, or α leaves a layer without a channel.
    """
    module = importlib.import_module(f"mobisdk.models.{find_architecture(spec.arch).module}")
    model: nn.Module = getattr(module, spec.arch)(spec)
    if (spec.padding, spec.activation, spec.norm_epsilon) != ("symmetric", None, None):
        from mobisdk.models.variant import vary_

        vary_(model, spec)
    return model
