"""Convolutions and matrix products."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from mobiconvert.mil_evaluator.operators.padding import PadType, resolve_pads, torch_order

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: tuple[int, ...] | None = None,
    pad_type: PadType = "valid",
    pad: tuple[int, ...] | None = None,
    dilations: tuple[int, ...] | None = None,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of x (N,C,*D) with weight (C_out,C/groups,*K)."""
    kernel = tuple(weight.shape[2:])
    strides = strides or (1,) * len(kernel)
    dilations = dilations or (1,) * len(kernel)
    extents = tuple((size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True))
    pads = resolve_pads(pad_type, pad, tuple(x.shape[2:]), extents, strides)
    even = all(before == after for before, after in pads)
    if not even:
        x = F.pad(x, torch_order(pads))
    inside = [before for before, _ in pads] if even else [0] * len(kernel)
    return _CONVOLUTIONS[len(kernel)](x, weight, bias, strides, inside, dilations, groups)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (*D,C_in) times weight (C_out,C_in) transposed."""
    return F.linear(x, weight, bias)


def matmul(x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False) -> Tensor:
    """Matrix product, batched over leading dimensions."""
    if transpose_x:
        x = x.transpose(-1, -2)
    if transpose_y:
        y = y.transpose(-1, -2)
    return torch.matmul(x, y)


OPERATORS: dict[str, Callable[..., Tensor]] = {"conv": conv, "linear": linear, "matmul": matmul}
