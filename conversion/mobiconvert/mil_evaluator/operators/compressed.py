"""Compressed weights, and quantization while running.

The `constexpr_*` operations depend on constants alone, so a program computes them once, when it is loaded. These are
the forms of iOS 16 and 17.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from mobiconvert.mil_evaluator.dtypes import unpack_bits
from mobiconvert.mil_evaluator.operators.elementwise import cast

_RANGES = {"int8": (-128, 127), "uint8": (0, 255)}


def constexpr_affine_dequantize(quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: int) -> Tensor:
    """scale · (data − zero point); both are numbers, or vectors along `axis`."""
    return dequantize(quantized_data, scale, zero_point, axis)


def constexpr_cast(source_val: Tensor, output_dtype: Literal["fp32"]) -> Tensor:
    """float16 weights as float32."""
    return cast(source_val, output_dtype)


def constexpr_lut_to_dense(indices: Tensor, lut: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A palette's values at packed indices of log2(palette's size) bits."""
    bits = (len(lut) - 1).bit_length()
    if len(lut) != 1 << bits:
        raise ValueError(f"a palette has {len(lut)} entries, not a power of two")
    places = unpack_bits(indices.numpy(), bits, math.prod(shape))
    return lut[torch.from_numpy(places).long()].reshape(shape)


def constexpr_sparse_to_dense(nonzero_data: Tensor, mask: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Values where the mask has a bit, zeros elsewhere."""
    present = torch.from_numpy(unpack_bits(mask.numpy(), 1, math.prod(shape))).bool()
    dense = torch.zeros(math.prod(shape), dtype=nonzero_data.dtype)
    if int(present.sum()) != len(nonzero_data):
        raise ValueError(f"a sparse weight has {len(nonzero_data)} values for {int(present.sum())} places")
    dense[present] = nonzero_data
    return dense.reshape(shape)


def quantize(
    input: Tensor,  # noqa: A002  (MIL's own name)
    scale: Tensor,
    output_dtype: Literal["int8", "uint8"],
    zero_point: Tensor | None = None,
    axis: int | None = None,
) -> Tensor:
    """round(x / scale) + zero point, halves to even, within the type's range."""
    levels = torch.round(input / _along(scale, axis, input.dim()))
    if zero_point is not None:
        levels = levels + _along(zero_point, axis, input.dim())
    return levels.clamp(*_RANGES[output_dtype])


def dequantize(
    input: Tensor,  # noqa: A002  (MIL's own name)
    scale: Tensor,
    zero_point: Tensor | None = None,
    axis: int | None = None,
) -> Tensor:
    """scale · (x − zero point); both are numbers, or vectors along `axis`."""
    levels = input.to(torch.float32)
    if zero_point is not None:
        levels = levels - _along(zero_point, axis, input.dim())
    return levels * _along(scale, axis, input.dim())


def _along(parameter: Tensor, axis: int | None, rank: int) -> Tensor:
    """A vector laid along `axis` of a tensor of this rank; a number as it is. Always float32, so nothing wraps."""
    parameter = parameter.to(torch.float32)
    if parameter.dim() == 0:
        return parameter
    if axis is None:
        raise ValueError("a scale for each channel needs an axis")
    shape = [1] * rank
    shape[axis] = -1
    return parameter.reshape(shape)


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "constexpr_affine_dequantize": constexpr_affine_dequantize,
    "constexpr_cast": constexpr_cast,
    "constexpr_lut_to_dense": constexpr_lut_to_dense,
    "constexpr_sparse_to_dense": constexpr_sparse_to_dense,
    "dequantize": dequantize,
    "quantize": quantize,
}
