"""Operations that read or write where indices say. A negative index counts from the end."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Mode = Literal["update", "add", "sub", "mul", "max", "min"]
_REDUCTIONS: dict[str, str] = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def gather(
    x: Tensor,
    indices: Tensor,
    axis: int = 0,
    batch_dims: int = 0,
    validate_indices: bool = False,  # noqa: ARG001  (torch refuses a wrong index in any case)
) -> Tensor:
    """The slices of x along `axis` that `indices` name, in the indices' shape; each of the batch has its own."""
    if batch_dims:
        axis %= x.dim()
        return torch.stack([gather(*pair, axis - 1, batch_dims - 1) for pair in zip(x, indices, strict=True)])
    axis %= x.dim()
    places = _from_the_start(indices, x.shape[axis])
    return x.index_select(axis, places.flatten()).reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])


def gather_along_axis(
    x: Tensor,
    indices: Tensor,
    axis: int = 0,
    validate_indices: bool = False,  # noqa: ARG001
) -> Tensor:
    """At each place the value of x whose place along `axis` is given there."""
    return x.gather(axis, _from_the_start(indices, x.shape[axis]))


def gather_nd(
    x: Tensor,
    indices: Tensor,
    batch_dims: int = 0,
    validate_indices: bool = False,  # noqa: ARG001
) -> Tensor:
    """The slices of x whose first coordinates are the last dimension of `indices`."""
    if batch_dims:
        return torch.stack([gather_nd(*pair, batch_dims - 1) for pair in zip(x, indices, strict=True)])
    return x[indices.long().unbind(-1)]


def scatter_along_axis(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: int = 0,
    mode: Mode = "add",
    validate_indices: bool = False,  # noqa: ARG001
) -> Tensor:
    """`data`, changed by each update at the place along `axis` that is given there."""
    places = _from_the_start(indices, data.shape[axis])
    if mode == "update":
        return data.scatter(axis, places, updates)
    if mode == "sub":
        return data.scatter_add(axis, places, -updates)
    return data.scatter_reduce(axis, places, updates, _REDUCTIONS[mode])


def scatter(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: int = 0,
    mode: Mode = "add",
    validate_indices: bool = False,  # noqa: ARG001
) -> Tensor:
    """`data`, whose slices along `axis` that `indices` (flat) name are changed by the slices of `updates`."""
    shape = [1] * data.dim()
    shape[axis] = -1
    return scatter_along_axis(data, indices.reshape(shape).expand(updates.shape), updates, axis, mode)


def scatter_nd(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    mode: Mode = "add",
    validate_indices: bool = False,  # noqa: ARG001
) -> Tensor:
    """`data`, whose slices with first coordinates in the last dimension of `indices` are changed by `updates`."""
    indexed = data.shape[: indices.shape[-1]]
    rows = torch.zeros(indices.shape[:-1], dtype=torch.int64)
    for size, coordinate in zip(indexed, indices.unbind(-1), strict=True):
        rows = rows * size + _from_the_start(coordinate, size)
    flat = data.reshape(indexed.numel(), -1)
    return scatter(flat, rows.flatten(), updates.reshape(rows.numel(), -1), 0, mode).reshape(data.shape)


def _from_the_start(indices: Tensor, size: int) -> Tensor:
    return torch.where(indices < 0, indices + size, indices).long()


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "gather": gather,
    "gather_along_axis": gather_along_axis,
    "gather_nd": gather_nd,
    "scatter": scatter,
    "scatter_along_axis": scatter_along_axis,
    "scatter_nd": scatter_nd,
}
