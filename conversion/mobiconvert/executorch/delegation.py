"""How much of a lowered graph the backend took, and what it left to ExecuTorch's portable kernels."""

import contextlib
import math
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.fx import Node

from mobiconvert.lowered import Delegation, Fallback
from mobiconvert.quiet import quiet_imports
from mobiconvert.recipes import Recipe

with quiet_imports():
    from executorch.exir.backend.utils import WhyNoPartition
    from executorch.exir.lowered_backend_module import LoweredBackendModule

_NO_WORK = ("getitem", "executorch_call_delegate")


@contextlib.contextmanager
def collect_reasons() -> Iterator[dict[str, str]]:
    """Give a mapping that is filled, while a graph is lowered, with why operators are not taken.

    XNNPACK's partitioner tells its log through `WhyNoPartition`, Vulkan's through `log_skip`; others tell nobody.
    """
    reasons: dict[str, str] = {}

    def note(_: Any, node: Node, reason: str) -> None:
        reasons[_operator_name(node)] = reason.strip().rstrip(".")

    tellers = [(WhyNoPartition, "__call__")]
    if vulkan := sys.modules.get("executorch.backends.vulkan.partitioner.vulkan_partitioner"):
        tellers.append((vulkan.VulkanSupportedOperators, "log_skip"))
    with contextlib.ExitStack() as stack:
        for owner, name in tellers:
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, note)
        yield reasons


def read_delegation(graph: torch.fx.GraphModule, recipe: Recipe, reasons: Mapping[str, str]) -> Delegation:
    """Count operators and multiply-adds of a graph in the edge dialect, inside its delegates and outside.

    `reasons` are those of `collect_reasons`.
    """
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
            Fallback(name, count, reasons.get(name) or _default_reason(recipe))
            for name, count in sorted(counts.items())
        ),
    )


def _default_reason(recipe: Recipe) -> str:
    if recipe.backend == "portable":
        return "the recipe has no backend: ExecuTorch's portable kernels are what it measures"
    return f"ExecuTorch's {recipe.backend} backend has no such operator; a portable kernel runs it"


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
        transposed = name.startswith("convolution") and node.args[6]
        image: Any = node.args[0]
        positions = math.prod(image.meta["val"].shape) if transposed else outputs
        return int(positions * math.prod(shape[1:]))
    inner: int = shape[1] if name.startswith("linear") else shape[0]
    return outputs * inner
