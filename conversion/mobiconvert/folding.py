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

from mobiconvert.deployment import DeployedNetwork
from mobiconvert.toolchain_errors import toolchain_errors


def trace(deployed: DeployedNetwork, shape: tuple[int, ...]) -> ExportedProgram:
    """The graph of one image of `shape` (1,3,H,W), with batch norms folded: what every recipe lowers.

    Raises:
        ConversionError: torch cannot export the module.
    """
    with toolchain_errors("torch.export cannot trace this module"):
        image = (torch.rand(shape),)
        return torch.export.export(fold_batch_norms(deployed, torch.export.export(deployed, image)), image)


def fold_batch_norms(network: nn.Module, program: ExportedProgram) -> nn.Module:
    """Return a copy of `network` in which each batch norm that only follows a convolution is part of it.

    `program` is the network's own export: it tells which norm reads which convolution, and that nothing else does.
    """
    folded = copy.deepcopy(network)
    for convolution_path, norm_path in _find_pairs(program):
        convolution, norm = folded.get_submodule(convolution_path), folded.get_submodule(norm_path)
        if not isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d) or not isinstance(norm, nn.BatchNorm2d):
            continue
        if norm.affine and norm.track_running_stats:
            _fold_(convolution.double(), norm.double())
            convolution.float()
            folded.set_submodule(norm_path, nn.Identity())
    return folded


@torch.no_grad()
def _fold_(convolution: nn.Conv2d | nn.ConvTranspose2d, norm: nn.BatchNorm2d) -> None:
    """Scale the filters and shift the bias; torch's own fusion does not take transposed filters in groups."""
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    factors = norm.weight / torch.sqrt(variance + norm.eps)
    bias = torch.zeros_like(mean) if convolution.bias is None else convolution.bias
    weight = convolution.weight  # (out, in / groups, *kernel), transposed (in, out / groups, *kernel)
    if isinstance(convolution, nn.ConvTranspose2d):
        by_group = weight.reshape(convolution.groups, -1, *weight.shape[1:])  # (groups, in / groups, out / groups, …)
        scaled = (by_group * factors.reshape(convolution.groups, 1, -1, 1, 1)).reshape(weight.shape)
    else:
        scaled = weight * factors.reshape(-1, 1, 1, 1)
    convolution.weight = nn.Parameter(scaled)
    convolution.bias = nn.Parameter((bias - mean) * factors + norm.bias)


def _find_pairs(program: ExportedProgram) -> Iterator[tuple[str, str]]:
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    calls = Counter(map(_module_path, nodes))
    for norm in nodes:
        if norm.target is not torch.ops.aten.batch_norm.default:
            continue
        convolution = norm.args[0]
        if (
            isinstance(convolution, Node)
            and convolution.target in (torch.ops.aten.conv2d.default, torch.ops.aten.conv_transpose2d.input)
            and len(convolution.users) == 1
            and calls[_module_path(convolution)] == calls[_module_path(norm)] == 1
        ):
            yield _module_path(convolution), _module_path(norm)


def _module_path(node: Node) -> str:
    """The innermost module that the node came from; a module that is called twice has two nodes."""
    stack = node.meta.get("nn_module_stack") or {"": ("", None)}
    path: str = list(stack.values())[-1][0]
    return path
