"""Folds batch norms into the convolutions before them, before any toolchain sees the graph.

Both toolchains fold too, in float32; here it is done in float64, and their passes, whose time goes with the number of
nodes, take half as long.
"""

import copy
from collections import Counter
from collections.abc import Iterator

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.fx import Node
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norms(network: nn.Module, program: ExportedProgram) -> nn.Module:
    """Return a copy of `network` in which each batch norm that only follows a convolution is part of it.

    `program` is the network's own export: it tells which norm reads which convolution, and that nothing else does.
    """
    folded = copy.deepcopy(network)
    for convolution_path, norm_path in _find_pairs(program):
        convolution, norm = folded.get_submodule(convolution_path), folded.get_submodule(norm_path)
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(convolution.double(), norm.double()).float()
            folded.set_submodule(convolution_path, fused)
            folded.set_submodule(norm_path, nn.Identity())
    return folded


def _find_pairs(program: ExportedProgram) -> Iterator[tuple[str, str]]:
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    calls = Counter(map(_module_path, nodes))
    for norm in nodes:
        if norm.target is not torch.ops.aten.batch_norm.default:
            continue
        convolution = norm.args[0]
        if (
            isinstance(convolution, Node)
            and convolution.target is torch.ops.aten.conv2d.default
            and len(convolution.users) == 1
            and calls[_module_path(convolution)] == calls[_module_path(norm)] == 1
        ):
            yield _module_path(convolution), _module_path(norm)


def _module_path(node: Node) -> str:
    """The innermost module that the node came from; a module that is called twice has two nodes."""
    stack = node.meta.get("nn_module_stack") or {"": ("", None)}
    path: str = list(stack.values())[-1][0]
    return path
