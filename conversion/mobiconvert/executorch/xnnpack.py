"""XNNPACK, the CPU: what it takes, which operators it wants rounded to int8, and how."""

from typing import Any

from mobiconvert.executorch.backend import Backend, lower_to
from mobiconvert.quantization import is_of_the_network
from mobiconvert.quiet import quiet_imports
from mobiconvert.recipes import Recipe

with quiet_imports():
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )


def open_xnnpack(recipe: Recipe) -> Backend:
    """Float32, float16 as a graph of its own, int8 with a scale for each output channel."""
    quantizer = xnnpack_quantizer(trains=recipe.trains) if recipe.calibrates else None
    return Backend(lower_to(XnnpackPartitioner()), quantizer, rounds_graph=True)


def xnnpack_quantizer(*, trains: bool = False) -> Any:
    """Weights symmetric by output channel, activations affine by tensor; `trains` for quantization-aware training."""
    quantizer = XNNPACKQuantizer()
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True, is_qat=trains))
    return quantizer.set_filter_function(is_of_the_network)
