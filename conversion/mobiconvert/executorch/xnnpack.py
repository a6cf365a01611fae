"""XNNPACK, the CPU: what it takes, which operators it wants rounded to int8, and how."""

from typing import Any

import torch
from torch.fx import GraphModule, Node

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
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer_utils import _is_share_obs_or_fq_op
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, SharedQuantizationSpec
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

_MOVES_VALUES = (torch.ops.aten.slice.Tensor, torch.ops.aten.pad.default, torch.ops.aten.unsqueeze.default)
"""Besides those that ExecuTorch's quantizer knows."""


def open_xnnpack(recipe: Recipe) -> Backend:
    """Float32, float16 as a graph of its own, int8 with a scale for each output channel."""
    quantizer = xnnpack_quantizer(trains=recipe.trains) if recipe.calibrates else None
    return Backend(lower_to(XnnpackPartitioner()), quantizer, rounds_graph=True)


def xnnpack_quantizer(*, trains: bool = False) -> Any:
    """Weights symmetric by output channel, activations affine by tensor; `trains` for quantization-aware training."""
    quantizer = _WholeXNNPACKQuantizer()
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True, is_qat=trains))
    return quantizer.set_filter_function(is_of_the_network)


class _WholeXNNPACKQuantizer(XNNPACKQuantizer):  # type: ignore[misc]
    """The same annotations, and one range on both sides of every operator that only moves values.

    XNNPACK has no such operator between two ranges. Where a slice or a padding had none, what reads it brought its own,
    and ExecuTorch wrote a program that its runtime refuses to load.
    """

    def annotate(self, model: GraphModule) -> GraphModule:
        """Annotate what computes, then what passes its values on."""
        model = self._annotate_for_quantization_config(model)
        for node in model.graph.nodes:
            if node.op == "call_function" and (node.target in _MOVES_VALUES or _is_share_obs_or_fq_op(node.target)):
                _share_range_of_input(node)
        return model


def _share_range_of_input(node: Node) -> None:
    source = node.args[0]
    if not isinstance(source, Node) or Q_ANNOTATION_KEY in node.meta or _pads_with_values(node):
        return
    annotation = source.meta.get(Q_ANNOTATION_KEY)
    if annotation is not None and annotation.output_qspec is not None:
        shared = SharedQuantizationSpec(source)
        node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
            input_qspec_map={source: shared}, output_qspec=shared, _annotated=True
        )


def _pads_with_values(node: Node) -> bool:
    """Zero is in every range; other values need not be in that of the input."""
    return node.target == torch.ops.aten.pad.default and any(node.args[3:])  # input, amounts, mode, value
