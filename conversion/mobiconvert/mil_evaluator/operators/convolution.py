"""Convolutions and products of matrices."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from mobiconvert.mil_evaluator.operators.padding import PadType, resolve_pads, torch_order

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


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


def conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    pad: tuple[int, ...] | None = None,
    output_shape: tuple[int, ...] | None = None,
    pad_type: Literal["valid", "same", "custom"] = "valid",
    strides: tuple[int, ...] | None = None,
    dilations: tuple[int, ...] | None = None,
    groups: int = 1,
) -> Tensor:
    """Transposed convolution of x (N,C,*D) with weight (C,C_out/groups,*K); padding is cut off what it makes.

    Where `output_shape` asks for more than that, the bias alone stands there.
    """
    spatial = weight.dim() - 2
    strides = strides or (1,) * spatial
    whole = _TRANSPOSED[spatial](x, weight, None, strides, 0, 0, groups, dilations or (1,) * spatial)
    for axis in range(spatial):
        made = whole.shape[2 + axis]
        before, after = 0, 0
        if pad_type == "custom" and pad is not None:
            before, after = pad[2 * axis], pad[2 * axis + 1]
        size = x.shape[2 + axis] * strides[axis] if pad_type == "same" else made - before - after
        size = size if output_shape is None else output_shape[2 + axis]
        if pad_type == "same":
            before = max(0, made - size) // 2
        missing = [0, 0] * (spatial - 1 - axis) + [0, max(0, before + size - made)]
        whole = F.pad(whole, missing).narrow(2 + axis, before, size)
    return whole if bias is None else whole + bias.reshape(-1, *[1] * spatial)


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


def einsum(values: tuple[Tensor, ...], equation: str) -> Tensor:
    """Sum of products in Einstein's notation."""
    return torch.einsum(equation, *values)


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    """softmax(query · keyᵀ / √E + mask) · value; a mask of booleans tells which keys take part."""
    return F.scaled_dot_product_attention(query, key, value, attn_mask)


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "einsum": einsum,
    "linear": linear,
    "matmul": matmul,
    "scaled_dot_product_attention": scaled_dot_product_attention,
}
