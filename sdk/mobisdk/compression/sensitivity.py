"""What each setting of each layer costs in answers, and what it saves: measured alone, on real images."""

import copy
import dataclasses
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobisdk.compression.compress import compress_
from mobisdk.compression.layer_selection import select_layers
from mobisdk.compression.technique import TechniqueConfig
from mobisdk.models.evaluation_mode import evaluation_mode


@dataclasses.dataclass(frozen=True)
class LayerSensitivity:
    """One layer at one setting, all others as they were."""

    name: str
    config: TechniqueConfig
    divergence: float
    """Mean Kullback-Leibler divergence of the network's answers from those before, in nats."""
    macs_saved: int
    bytes_saved: int


def measure_sensitivity(
    module: nn.Module,
    ladder: Sequence[TechniqueConfig],
    *,
    images: Tensor,
    on_layer: Callable[[int, int], None] | None = None,
) -> tuple[LayerSensitivity, ...]:
    """Every layer at every setting of `ladder`, layer by layer; what is skipped or saves nothing is left out."""
    layers = list(select_layers(module, ladder[0])[0])
    before = answer(module, images)
    found = []
    for number, name in enumerate(layers, 1):
        for config in ladder:
            alone = dataclasses.replace(config, layers=(name,))
            changed = copy.deepcopy(module)
            result = compress_(changed, alone, images=images)
            macs, size = result.macs_before - result.macs_after, result.size_bytes_before - result.size_bytes_after
            if result.changed and (macs > 0 or size > 0):
                found.append(LayerSensitivity(name, alone, divergence(before, answer(changed, images)), macs, size))
        if on_layer is not None:
            on_layer(number, len(layers))
    return tuple(found)


@torch.no_grad()
def answer(module: nn.Module, images: Tensor) -> Tensor:
    """Logarithms of the probabilities that the network gives, (N,classes)."""
    with evaluation_mode(module):
        return F.log_softmax(module(images).double(), 1)


def divergence(before: Tensor, after: Tensor) -> float:
    """Of one set of answers from another."""
    return float(F.kl_div(after, before, reduction="batchmean", log_target=True))
