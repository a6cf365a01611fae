"""Looks between the layers of a `.pte`, which runs as one piece: in the graph that lowers to the same bytes again.

Lowering gives the same bytes for the same network, images and versions. Where it does, the graph that went into it is
the bundle's own; where it does not, nothing is said of its layers.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mobiconvert.deployment import DeployedNetwork
from mobiconvert.executorch import lowering
from mobiconvert.folding import trace
from mobiconvert.layer_sqnr import LayerSqnr, measure_layers, tap_program
from mobiconvert.recipes import find_recipe
from mobiconvert.toolchain_errors import toolchain_errors
from mobisdk.bundle import Bundle
from mobisdk.errors import UnsupportedError
from mobisdk.layers.parametrized import without_parametrizations


def measure_program_layers(
    bundle: Bundle, network: nn.Module, ranges: NDArray[np.uint8], images: NDArray[np.uint8]
) -> tuple[LayerSqnr, ...]:
    """Compare the graph in a `.pte` with its network, layer by layer, on (N,H,W,3) uint8 images.

    `ranges` are the images that it was calibrated with. The kernels' own rounding is not in the figures.

    Raises:
        ConversionError: the network cannot be lowered any more.
        UnsupportedError: lowering again gives another program, or its backend rounds where no graph shows it.
    """
    recipe = find_recipe(bundle.target.recipe, bundle.target.platform)
    if recipe.trains:
        raise UnsupportedError("its network went on learning while it was exported, and is not here any more")
    height, width = images.shape[1:3]
    deployed = DeployedNetwork(without_parametrizations(network), bundle.input).eval()
    program = trace(deployed, (1, 3, height, width))
    with tempfile.TemporaryDirectory() as name, toolchain_errors(f"{recipe.name}: it cannot be lowered again", program):
        lowered = lowering.lower(program, recipe, Path(name), ranges)
        same = (Path(name) / bundle.model_path.name).read_bytes() == bundle.model_path.read_bytes()
    if lowered.rounded is None:
        raise UnsupportedError(f"{recipe.backend} rounds to {recipe.precision} by itself: no graph shows its layers")
    if not same:
        raise UnsupportedError(
            "lowering the network again gives another program, whose layers are not this bundle's",
            hint="Use the versions and the kind of processor that it was exported with",
        )
    reference = torch.export.export(deployed, (torch.zeros(1, 3, height, width),))
    return measure_layers(tap_program(reference), tap_program(lowered.rounded), images)
