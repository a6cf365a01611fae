"""What rounded activations add to the difference between two runtimes.

A sum that is off in its last bits lies on the other side of a threshold now and then, and its activation jumps a whole
level: two right runtimes then differ by more than their arithmetic does. By how much is the network's own property, and
is measured on it: the input of every rounded activation is moved at random, by what a precision's sums are off.
"""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mobiconvert.deployment import DeployedNetwork, compute_logits
from mobiconvert.recipes.recipe import Precision
from mobisdk.compression.rounded_activation import RoundedReLU, SignActivation

_UNIT_ROUNDOFF: dict[Precision, float] = {"fp32": 2**-24, "fp16": 2**-11, "int8": 2**-8}
_UNITS = 16
"""That a sum of a few hundred products is off by: they grow as the root of their number."""
_DRAWS = 8
_SEED = 0


def measure_level_flips(deployed: DeployedNetwork, images: NDArray[np.uint8], precision: Precision) -> float:
    """Twice the largest change of a logit over some draws, relative to the largest logit; 0 where nothing is rounded.

    `images` are (N,H,W,3). Twice: other sums are off elsewhere.
    """
    if not any(isinstance(module, RoundedReLU | SignActivation) for module in deployed.modules()):
        return 0.0
    reference = compute_logits(deployed, images, torch.float32)
    generator = torch.Generator().manual_seed(_SEED)
    with _moved_inputs(deployed, _UNITS * _UNIT_ROUNDOFF[precision], generator):
        changes = [np.abs(compute_logits(deployed, images, torch.float32) - reference).max() for _ in range(_DRAWS)]
    return 2 * float(max(changes)) / max(float(np.abs(reference).max()), np.finfo(np.float64).tiny)


@contextlib.contextmanager
def _moved_inputs(network: nn.Module, error: float, generator: torch.Generator) -> Iterator[None]:
    """Move what is rounded by at most `error` of its largest magnitude."""

    def move(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        features = inputs[0]
        noise = 2 * torch.rand(features.shape, generator=generator, dtype=features.dtype) - 1
        return features + error * features.abs().max() * noise

    handles = [
        module.register_forward_pre_hook(move)
        for module in network.modules()
        if isinstance(module, RoundedReLU | SignActivation)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
