"""Compressed weights, and quantization while running.

The `constexpr_*` operations depend on constants alone, so a program computes them once, when it is loaded. Those of
iOS 16 take packed bits and a shape; those of iOS 18 take typed values of any number of bits, tables and scales by
blocks, and sparse values that are still compressed.
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


def constexpr_lut_to_dense(
    indices: Tensor, lut: Tensor, shape: tuple[int, ...] | None = None, vector_axis: int | None = None
) -> Tensor:
    """A palette's values at `indices`.

    iOS 16: `indices` are packed bits, `lut` is flat. iOS 18: `lut` has a table for each block of `indices`, of shape
    (*blocks, entries, vector); an entry's vector lies along `vector_axis` of the result.
    """
    if shape is not None:
        bits = (len(lut) - 1).bit_length()
        if len(lut) != 1 << bits:
            raise ValueError(f"a palette has {len(lut)} entries, not a power of two")
        places = unpack_bits(indices.numpy(), bits, math.prod(shape))
        return lut[torch.from_numpy(places).long()].reshape(shape)
    tables = math.prod(lut.shape[:-2])
    table_of_block = torch.arange(tables).reshape(lut.shape[:-2])
    vectors = lut.reshape(tables, *lut.shape[-2:])[_repeat_blocks(table_of_block, indices.shape), indices.long()]
    if vectors.shape[-1] == 1:
        return vectors.squeeze(-1)
    if vector_axis is None:
        raise ValueError("a palette of vectors needs a vector_axis")
    axis = vector_axis % indices.dim()
    return vectors.movedim(-1, axis + 1).flatten(axis, axis + 1)


def constexpr_lut_to_sparse(
    indices_mask: Tensor, indices_nonzero_data: Tensor, lut: Tensor, vector_axis: int | None = None
) -> tuple[Tensor, Tensor]:
    """The palette's values where the mask has a bit, and the mask; both longer where an entry is a vector."""
    dense = constexpr_lut_to_dense(
        constexpr_sparse_to_dense(indices_nonzero_data, indices_mask), lut, vector_axis=vector_axis
    )
    if vector_axis is not None:
        indices_mask = indices_mask.repeat_interleave(lut.shape[-1], vector_axis)
    return indices_mask, dense[indices_mask.bool()]


def constexpr_sparse_to_dense(nonzero_data: Tensor, mask: Tensor, shape: tuple[int, ...] | None = None) -> Tensor:
    """Values where the mask has a bit, zeros elsewhere. iOS 16: the mask is packed, of that shape."""
    if shape is not None:
        mask = torch.from_numpy(unpack_bits(mask.numpy(), 1, math.prod(shape))).reshape(shape)
    present = mask.bool()
    if int(present.sum()) != len(nonzero_data):
        raise ValueError(f"a sparse weight has {len(nonzero_data)} values for {int(present.sum())} places")
    dense = torch.zeros(mask.shape, dtype=nonzero_data.dtype)
    dense[present] = nonzero_data
    return dense


def constexpr_blockwise_shift_scale(data: Tensor, scale: Tensor, offset: Tensor | None = None) -> Tensor:
    """scale · (data − offset), both the same within a block."""
    shifted = data.to(torch.float32)
    if offset is not None:
        shifted = shifted - _repeat_blocks(offset.to(torch.float32), data.shape)
    return shifted * _repeat_blocks(scale, data.shape)


def constexpr_sparse_blockwise_shift_scale(
    data_mask: Tensor, nonzero_data: Tensor, scale: Tensor, offset: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """As constexpr_blockwise_shift_scale, of the values where the mask has a bit; and the mask."""
    dense = constexpr_blockwise_shift_scale(constexpr_sparse_to_dense(nonzero_data, data_mask), scale, offset)
    return data_mask, dense[data_mask.bool()]


def _repeat_blocks(values: Tensor, shape: torch.Size) -> Tensor:
    """Each value for the whole block of `shape` that it is about."""
    for axis, size in enumerate(shape):
        if size % values.shape[axis]:
            raise ValueError(f"{values.shape[axis]} blocks do not divide {size} elements")
        values = values.repeat_interleave(size // values.shape[axis], axis)
    return values


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


OPERATORS: dict[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    "constexpr_affine_dequantize": constexpr_affine_dequantize,
    "constexpr_blockwise_shift_scale": constexpr_blockwise_shift_scale,
    "constexpr_cast": constexpr_cast,
    "constexpr_lut_to_dense": constexpr_lut_to_dense,
    "constexpr_lut_to_sparse": constexpr_lut_to_sparse,
    "constexpr_sparse_blockwise_shift_scale": constexpr_sparse_blockwise_shift_scale,
    "constexpr_sparse_to_dense": constexpr_sparse_to_dense,
    "dequantize": dequantize,
    "quantize": quantize,
}
