"""How much of a lowered graph the backend took, and what it left to ExecuTorch's portable kernels."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch.fx import Node

from mobiconvert.lowered import Delegation, Fallback
from mobiconvert.quiet import quiet_imports
from mobiconvert.recipes import Recipe

with quiet_imports():
    from executorch.exir.lowered_backend_module import LoweredBackendModule

_NO_WORK = ("getitem", "executorch_call_delegate")


def read_delegation(graph: torch.fx.GraphModule, recipe: Recipe) -> Delegation:
    """Count operators and multiply-adds of a graph in the edge dialect, inside its delegates and outside."""
    delegated = [
        node
        for module in graph.modules()
        if isinstance(module, LoweredBackendModule)
        for node in _operators(module.original_module.graph_module)
    ]
    kept = list(_operators(graph))
    counts = Counter(_operator_name(node) for node in kept)
    return Delegation(
        ops_total=len(delegated) + len(kept),
        ops_delegated=len(delegated),
        macs_delegated=sum(map(_count_macs, delegated)),
        fallback=tuple(
            Fallback(
                name, count, f"{recipe.backend}'s partitioner did not take it; ExecuTorch's portable kernel runs it"
            )
            for name, count in sorted(counts.items())
        ),
    )


def _operators(graph: torch.fx.GraphModule) -> Iterator[Node]:
    """The nodes of one graph that do work; those inside delegates are in graphs of their own."""
    return (node for node in graph.graph.nodes if node.op == "call_function" and _operator_name(node) not in _NO_WORK)


def _operator_name(node: Node) -> str:
    name = getattr(node.target, "__name__", str(node.target))
    return name.removeprefix("aten.")


def _count_macs(node: Node) -> int:
    """Multiply-adds of a convolution or a dense layer in the edge dialect."""
    name = _operator_name(node)
    if not name.startswith(("conv", "addmm", "mm", "linear")):
        return 0
    weight: Any = node.args[2 if name.startswith("addmm") else 1]
    shape = list(weight.meta["val"].shape)
    outputs: int = math.prod(node.meta["val"].shape)
    if name.startswith("conv"):  # convolution, or conv2d where a backend wants it whole
        transposed = len(node.args) > 6 and node.args[6]
        image: Any = node.args[0]
        positions = math.prod(image.meta["val"].shape) if transposed else outputs
        return int(positions * math.prod(shape[1:]))
    inner: int = shape[1] if name.startswith("linear") else shape[0]
    return outputs * inner
