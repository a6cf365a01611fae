"""What ExecuTorch has to know of a backend to lower a graph to it, and which file of this room knows it."""

import dataclasses
from collections.abc import Callable
from typing import Any

from torch.export import ExportedProgram

from mobiconvert.quiet import quiet_imports
from mobiconvert.recipes import Recipe

with quiet_imports():
    from executorch.exir import to_edge_transform_and_lower


@dataclasses.dataclass(frozen=True)
class Backend:
    """One backend, as one recipe wants it."""

    lower: Callable[[ExportedProgram], Any]
    """Gives ExecuTorch's edge program, what the backend takes already inside delegates."""
    quantizer: Any = None
    """torchao's, for recipes that calibrate or train."""
    rounds_graph: bool = False
    """Whether a float16 recipe is a graph in float16; other backends are told to round by themselves."""
    runs_here: bool = True
    """Whether a runtime of this computer runs it."""


def open_backend(recipe: Recipe) -> Backend:
    """Import what the recipe's backend needs; each takes seconds, so no other is imported.

    Raises:
        UnsupportedError: it needs its maker's SDK, which is not here.
    """
    match recipe.backend:
        case "xnnpack":
            from mobiconvert.executorch.xnnpack import open_xnnpack

            return open_xnnpack(recipe)
        case "vulkan":
            from mobiconvert.executorch.vulkan import open_vulkan

            return open_vulkan(recipe)
        case "qnn":
            from mobiconvert.executorch.qualcomm import open_qualcomm

            return open_qualcomm(recipe)
        case "coreml":
            from mobiconvert.executorch.coreml_delegate import open_coreml_delegate

            return open_coreml_delegate(recipe)
    return Backend(lower_to())


def lower_to(*partitioners: Any) -> Callable[[ExportedProgram], Any]:
    """Each partitioner in turn takes what it can; without any, all is left to the portable kernels."""
    return lambda program: to_edge_transform_and_lower(program, partitioner=list(partitioners))
