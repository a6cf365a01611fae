"""Operations that make values out of shapes and numbers."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

_MOST_ELEMENTS = 1 << 28
"""A program may ask for any shape."""


def fill(shape: tuple[int, ...], value: float = 0.0) -> Tensor:
    """`value` everywhere."""
    if math.prod(shape) > _MOST_ELEMENTS:
        raise ValueError(f"a tensor of shape {shape} is too large")
    return torch.full(shape, value)


def fill_like(ref_tensor: Tensor, value: float = 0.0) -> Tensor:
    """`value` everywhere, in the shape of another tensor."""
    return torch.full(ref_tensor.shape, value)


def one_hot(
    indices: Tensor, one_hot_vector_size: int, axis: int = -1, on_value: float = 1, off_value: float = 0
) -> Tensor:
    """A vector for each index along a new dimension, `on_value` where the index says; none where it is outside."""
    vectors = (indices.unsqueeze(-1) == torch.arange(one_hot_vector_size)).movedim(-1, axis)
    return torch.where(vectors, on_value, off_value)


def range_1d(end: float, start: float, step: float) -> Tensor:
    """start, start + step … before end."""
    if (end - start) / step > _MOST_ELEMENTS:
        raise ValueError(f"the numbers from {start} to {end} are too many")
    return torch.arange(start, end, step)


def shape(x: Tensor) -> Tensor:
    """The sizes of x."""
    return torch.tensor(x.shape)


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "fill": fill,
    "fill_like": fill_like,
    "one_hot": one_hot,
    "range_1d": range_1d,
    "shape": shape,
}
