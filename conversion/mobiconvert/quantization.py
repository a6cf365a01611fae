"""Static quantization: ranges of activations are measured on real images, then the graph rounds to them (torchao PT2E).

Which operators are rounded, and how, is the quantizer's knowledge: every backend brings its own.
"""

import math
from collections import Counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from torchao.quantization.pt2e import disable_fake_quant
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

_LAYERS = ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "linear")


def quantize(program: ExportedProgram, quantizer: Any, calibration: NDArray[np.uint8]) -> ExportedProgram:
    """Return `program` with the quantize and dequantize operators that a torchao `quantizer` asks for.

    `program` takes one (1,3,H,W) float32 image in [0,1]; `calibration` are (N,H,W,3) uint8 images. The same images in
    the same order give the same program.
    """
    with quiet_imports(), torch.no_grad():
        prepared = prepare_pt2e(program.module(check_guards=False), quantizer)
        prepared.apply(disable_fake_quant)  # ranges are those of the float network
        for image in calibration:
            prepared(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)
        return export_quantized(convert_pt2e(prepared), program)


def export_quantized(quantized: torch.fx.GraphModule, program: ExportedProgram) -> ExportedProgram:
    """Export what PT2E made of `program`'s graph, for one image of the same size."""
    for name in {name for name, _ in quantized.named_parameters()} - _used(quantized):
        quantized.get_submodule(name.rpartition(".")[0]).register_parameter(name.rpartition(".")[2], None)
    (image,) = program.graph_signature.user_inputs
    shape = next(node.meta["val"].shape for node in program.graph.nodes if node.name == image)
    return torch.export.export(quantized, (torch.zeros(shape),))


def _used(graph: torch.fx.GraphModule) -> set[str]:
    """Names of the parameters that the graph reads: float weights that were rounded are not among them."""
    return {str(node.target) for node in graph.graph.nodes if node.op == "get_attr"}


def describe_rounding(rounded: ExportedProgram) -> dict[str, Any]:
    """How many weights of layers are stored in int8, and which are not because the quantizer has no such operator."""
    compressed, kept, elements = [], Counter[str](), Counter[str]()
    for node in rounded.graph.nodes:
        operator = str(node.target).split(".")[1] if str(node.target).startswith("aten.") else ""
        if operator not in _LAYERS or not isinstance(weight := node.args[1], torch.fx.Node):
            continue
        size = math.prod(weight.meta["val"].shape)
        if "dequantize" in str(weight.target):
            compressed.append(size)
        elif weight.op == "placeholder":  # else it is computed, as both sides of attention are
            reason = f"the quantizer rounds no {operator}"
            kept[reason] += 1
            elements[reason] += size
    return {
        "compressed": {"tensors": len(compressed), "elements": sum(compressed)},
        "kept": [
            {"reason": reason, "tensors": count, "elements": elements[reason]} for reason, count in sorted(kept.items())
        ],
    }


def is_of_the_network(node: torch.fx.Node) -> bool:
    """Whether a quantizer may round this node: not the normalization, which is all that `DeployedNetwork` adds.

    The first convolution's input is rounded anyway; before it, that would be one more rounding.
    """
    return node.op != "call_function" or len(node.meta.get("nn_module_stack", {})) != 1
