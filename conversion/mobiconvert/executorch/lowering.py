"""Lowers a network to a .pte for ExecuTorch."""

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from mobiconvert.executorch.backend import Backend, open_backend
from mobiconvert.executorch.delegation import collect_reasons, read_delegation
from mobiconvert.executorch.half_precision import to_half_precision
from mobiconvert.lowered import Lowered
from mobiconvert.quiet import quiet_imports
from mobiconvert.recipes import Recipe


def lower(
    program: ExportedProgram,
    recipe: Recipe,
    folder: Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64] | None = None,
) -> Lowered:
    """Write `folder`/model.pte: one float32 input (1,3,H,W) in [0,1], one float32 output of logits.

    `images` are (N,H,W,3) uint8 of the network's own size: a recipe that calibrates measures its ranges on them, and
    one that trains learns from them with their `labels`, (N,).
    """
    backend = open_backend(recipe)
    prepared = _prepare(program, recipe, backend, images, labels)
    with quiet_imports(), collect_reasons() as reasons:
        edge = backend.lower(prepared)
        simulate = None if backend.runs_here else _simulate(edge.exported_program(), program, recipe)
        delegation = read_delegation(edge.exported_program().graph_module, recipe, reasons)
        content = edge.to_executorch().buffer
    (folder / "model.pte").write_bytes(content)
    version = importlib.metadata.version("executorch")
    (image,), (logits,) = program.graph_signature.user_inputs, program.graph_signature.user_outputs
    shapes = {node.name: list(node.meta["val"].shape) for node in program.graph.nodes if _is_tensor(node)}
    return Lowered(
        delegation=delegation,
        input={"name": "image", "kind": "tensor", "shape": shapes[str(image)], "dtype": "float32", "color": "RGB"},
        output={"name": "logits", "shape": shapes[str(logits)], "dtype": "float32", "activation": "logits"},
        tool_versions={"executorch": version, "coremltools": _coremltools_version(recipe)},
        requirements={"min_runtime": version, **_describe_weights(prepared, recipe)},
        simulate=simulate,
        rounded=prepared if recipe.precision != "fp16" or backend.rounds_graph else None,
    )


def _prepare(
    program: ExportedProgram,
    recipe: Recipe,
    backend: Backend,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64] | None,
) -> ExportedProgram:
    """The graph in the recipe's precision, where that is not the backend's to choose."""
    # Imported here: torchao takes seconds, and the other recipes need none of it.
    if recipe.trains and labels is not None:
        from mobiconvert.quantization_aware import train_quantized

        return train_quantized(program, backend.quantizer, images, labels)
    if recipe.calibrates:
        from mobiconvert.quantization import quantize

        return quantize(program, backend.quantizer, images)
    return to_half_precision(program) if recipe.precision == "fp16" and backend.rounds_graph else program


def _describe_weights(prepared: ExportedProgram, recipe: Recipe) -> dict[str, Any]:
    if not recipe.calibrates:
        return {}
    from mobiconvert.quantization import describe_rounding

    return {"weights": describe_rounding(prepared)}


def _simulate(
    lowered: ExportedProgram, program: ExportedProgram, recipe: Recipe
) -> Callable[[torch.Tensor], torch.Tensor]:
    """What torch can tell of a backend that runs on phones alone; where it rounds to float16 itself, our own does."""
    graph: Callable[[torch.Tensor], torch.Tensor] = (
        to_half_precision(program) if recipe.precision == "fp16" else lowered
    ).module(check_guards=False)
    return graph


def _coremltools_version(recipe: Recipe) -> str | None:
    return importlib.metadata.version("coremltools") if recipe.backend == "coreml" else None


def _is_tensor(node: torch.fx.Node) -> bool:
    return isinstance(node.meta.get("val"), torch.Tensor)
