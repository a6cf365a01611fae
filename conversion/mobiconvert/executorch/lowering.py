"""Lowers a network to a .pte for ExecuTorch."""

import importlib.metadata
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.fx import Node

from mobiconvert.lowered import Delegation, Fallback, Lowered
from mobiconvert.quiet import quiet_imports
from mobiconvert.recipes import Recipe

with quiet_imports():
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from executorch.exir.lowered_backend_module import LoweredBackendModule

_NO_WORK = ("getitem", "executorch_call_delegate")


def lower(
    program: torch.export.ExportedProgram, recipe: Recipe, folder: Path, calibration: NDArray[np.uint8]
) -> Lowered:
    """Write `folder`/model.pte: one float32 input (1,3,H,W) in [0,1], one float32 output of logits."""
    with quiet_imports():
        edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        content = edge.to_executorch().buffer
    (folder / "model.pte").write_bytes(content)
    image = program.graph_signature.user_inputs[0]
    shapes = {node.name: list(node.meta["val"].shape) for node in program.graph.nodes if _is_tensor(node)}
    return Lowered(
        delegation=_read_delegation(edge.exported_program().graph_module, recipe),
        input={"name": "image", "kind": "tensor", "shape": shapes[str(image)], "dtype": "float32", "color": "RGB"},
        output={
            "name": "logits",
            "shape": shapes[str(program.graph_signature.user_outputs[0])],
            "dtype": "float32",
            "activation": "logits",
        },
        tool_versions={"executorch": importlib.metadata.version("executorch"), "coremltools": None},
    )


def _read_delegation(graph: torch.fx.GraphModule, recipe: Recipe) -> Delegation:
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
    if not name.startswith(("convolution", "addmm", "mm", "linear")):
        return 0
    weight: Any = node.args[2 if name.startswith("addmm") else 1]
    shape = list(weight.meta["val"].shape)
    outputs: int = math.prod(node.meta["val"].shape)
    if name.startswith("convolution"):
        return outputs * int(math.prod(shape[1:]))
    inner: int = shape[1] if name.startswith("linear") else shape[0]
    return outputs * inner


def _is_tensor(node: Node) -> bool:
    return isinstance(node.meta.get("val"), torch.Tensor)
