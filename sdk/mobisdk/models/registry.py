"""Every architecture by its name, each in a module that is imported only when a network is built."""

import difflib
import importlib
from typing import TYPE_CHECKING

from mobisdk.errors import ConfigError
from mobisdk.specs import ModelSpec

if TYPE_CHECKING:
    from torch import nn

# The builder bears the architecture's name: `mobisdk.models.<module>.<arch>(spec)`.
_MODULES = {
    "bn_inception": "bn_inception",
    "deep_fried": "deep_fried",
    "factorized": "factorized",
    "flattened": "flattened",
    "inception_v3": "inception_v3",
    "lenet_5": "lenet_5",
    "mobilenet_v1": "mobilenet_v1",
    "mobilenet_v1_full_conv": "mobilenet_v1",
    "mobilenet_v1_shallow": "mobilenet_v1",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3_large": "mobilenet_v3",
    "mobilenet_v3_small": "mobilenet_v3",
    "mobilenet_v4_conv_large": "mobilenet_v4",
    "mobilenet_v4_conv_medium": "mobilenet_v4",
    "mobilenet_v4_conv_small": "mobilenet_v4",
    "squeezenet_1_0": "squeezenet",
    "squeezenet_1_1": "squeezenet",
    "structured_transform": "structured_transform",
    "xception": "xception",
}


def list_models() -> list[str]:
    """Names that `ModelSpec.arch` may take, sorted."""
    return sorted(_MODULES)


def create_model(spec: ModelSpec) -> "nn.Module":
    """Build the network: normalized (N,3,H,W) float32 in, (N,num_classes) logits out; weights from torch's generator.

    Raises:
        ConfigError: the architecture is unknown, or α leaves a layer without a channel.
    """
    if spec.arch not in _MODULES:
        nearest = difflib.get_close_matches(spec.arch, _MODULES, n=1, cutoff=0.0)
        raise ConfigError(
            "arch is unknown", got=spec.arch, allowed=", ".join(list_models()), hint=f"Did you mean {nearest[0]}?"
        )
    module = importlib.import_module(f"mobisdk.models.{_MODULES[spec.arch]}")
    model: nn.Module = getattr(module, spec.arch)(spec)
    if (spec.padding, spec.activation, spec.norm_epsilon) != ("symmetric", None, None):
        from mobisdk.models.variant import vary_

        vary_(model, spec)
    return model
