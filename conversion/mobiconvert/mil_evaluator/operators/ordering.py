"""Operations on values in order along one dimension: running sums, sorting, the largest few."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor


def cumsum(x: Tensor, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """Sum of what comes before each element (or after it, reversed), with the element itself unless exclusive."""
    if reverse:
        x = x.flip(axis)
    total = x.cumsum(axis)
    if exclusive:
        total = total - x
    return total.flip(axis) if reverse else total


def argsort(x: Tensor, axis: int = -1, ascending: bool = False) -> Tensor:
    """Places of the values in order; equal ones keep theirs."""
    return x.argsort(dim=axis, descending=not ascending, stable=True)


def topk(
    x: Tensor,
    k: int = 1,
    axis: int = -1,
    ascending: bool = False,
    sort: bool = True,  # noqa: ARG001  (any order will do where it is False)
    return_indices: bool = True,
    output_indices_dtype: Literal["int32", "uint16"] = "int32",  # noqa: ARG001  (the caller makes it so)
) -> tuple[Tensor, ...]:
    """The k largest values in order (or the smallest, ascending), and their places; -1 is all of them."""
    places = argsort(x, axis, ascending).narrow(axis, 0, x.shape[axis] if k == -1 else k)
    values = x.gather(axis, places)
    return (values, places) if return_indices else (values,)


OPERATORS: dict[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    "argsort": argsort,
    "cumsum": cumsum,
    "topk": topk,
}
