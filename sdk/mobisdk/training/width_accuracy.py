"""How many held-out images a supernet names right at each of its widths and resolutions."""

import itertools
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from mobisdk.accuracy import wilson_interval
from mobisdk.data import DecodedImages
from mobisdk.data.batches import HeldOutBatches, normalize, resize
from mobisdk.models.supernet import calibration_order, narrow_spec, slice_network
from mobisdk.specs import InputSpec, ModelSpec, SupernetSpec
from mobisdk.training.held_out import count_correct

_BATCH = 256
_STEP = 0.25


def list_alphas(supernet: SupernetSpec) -> list[float]:
    """The widths that are tested: the narrowest, the widest, and the quarters between."""
    low, high = supernet.alphas
    quarters = (_STEP * count for count in itertools.count(1))
    between = [alpha for alpha in itertools.takewhile(lambda alpha: alpha < high, quarters) if alpha > low]
    return [low, *between, high]


MeasureWidths: TypeAlias = Callable[[nn.Module, int], list[dict[str, Any]]]
"""From a trained supernet, and how many images it names right at its widest, to one line for each of its networks."""


def measure_widths(
    widest: ModelSpec, view: InputSpec, supernet: SupernetSpec, train: DecodedImages, test: DecodedImages
) -> MeasureWidths:
    """Give a function that cuts out each network in turn, the widest first, and counts what it names right.

    Batch norms take the statistics of training images.
    """

    def measure(network: nn.Module, widest_correct: int) -> list[dict[str, Any]]:
        lines = []
        device = next(network.parameters()).device
        batches = HeldOutBatches(test, view, batch_size=_BATCH, device=device)
        for resolution in reversed(supernet.resolutions):
            calibration = resize(_calibration_images(train, view, resolution), resolution)
            calibration = calibration.to(device)
            for alpha in reversed(list_alphas(supernet)):
                spec = narrow_spec(widest, supernet, alpha, resolution)
                correct = widest_correct
                if spec != widest:
                    correct = count_correct(slice_network(network, spec, calibration), batches, resolution)
                lines.append(
                    {
                        "alpha": alpha,
                        "resolution": resolution,
                        "correct": correct,
                        "accuracy": correct / len(test.labels),
                        "accuracy_interval": wilson_interval(correct, len(test.labels)),
                    }
                )
        return lines

    return measure


def _calibration_images(train: DecodedImages, view: InputSpec, resolution: int) -> Tensor:
    """Normalized (N,3,crop,crop): the middle of training images, as the network will see photographs."""
    order = calibration_order(len(train.labels), resolution)
    rim = (view.resize - view.crop) // 2
    pixels = torch.from_numpy(train.pixels[order])[:, rim : rim + view.crop, rim : rim + view.crop]
    return normalize(pixels, view)
