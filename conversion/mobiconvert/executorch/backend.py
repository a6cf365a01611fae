"""What ExecuTorch has to know of a backend to lower a graph to it, and which file of this room knows it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from mobiconvert.recipes import Recipe


@dataclasses.dataclass(frozen=True)
class Backend:
    """One backend, as one recipe wants it."""

    partitioners: Sequence[Any]
    """ExecuTorch's own; none leaves everything to the portable kernels."""
    quantizer: Any = None
    """torchao's, for recipes that calibrate or train."""
    rounds_graph: bool = False
    """Whether a float16 recipe is a graph in float16; other backends are told to round by themselves."""


def open_backend(recipe: Recipe) -> Backend:
    """Import what the recipe's backend needs; each takes seconds, so no other is imported."""
    if recipe.backend == "xnnpack":
        from mobiconvert.executorch.xnnpack import open_xnnpack

        return open_xnnpack(recipe)
    return Backend(partitioners=())
