"""MIL's operations by name, as functions of torch tensors.

A function's signature is its operation's form: parameters are MIL's own names, those annotated as tensors may be
computed, the others must be constants and come as plain Python values, a `Literal` lists the modes that are known.
Sources for what each one means: coremltools, converters/mil/mil/ops/defs (iOS15 to iOS18).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch

from mobiconvert.mil_evaluator.operators import (
    compressed,
    convolution,
    elementwise,
    filling,
    indexing,
    ordering,
    pooling,
    reduction,
    resizing,
    shaping,
)

Operator = Callable[..., torch.Tensor | tuple[torch.Tensor, ...]]

OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        **elementwise.OPERATORS,
        **convolution.OPERATORS,
        **pooling.OPERATORS,
        **reduction.OPERATORS,
        **ordering.OPERATORS,
        **shaping.OPERATORS,
        **resizing.OPERATORS,
        **indexing.OPERATORS,
        **filling.OPERATORS,
        **compressed.OPERATORS,
    }
)
