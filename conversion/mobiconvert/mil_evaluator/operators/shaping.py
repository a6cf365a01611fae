"""Operations that move values without computing with them."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def reshape(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The same values in another shape; 0 keeps a dimension, -1 is what is left."""
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(shape)])


def transpose(x: Tensor, perm: tuple[int, ...]) -> Tensor:
    """Dimensions in the order of `perm`."""
    return x.permute(perm)


def squeeze(x: Tensor, axes: tuple[int, ...] | None = None) -> Tensor:
    """Without the dimensions of size 1 in `axes` (all by default)."""
    return x.squeeze() if axes is None else x.squeeze(axes)


def expand_dims(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """With new dimensions of size 1, at `axes` of the result."""
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def concat(values: tuple[Tensor, ...], axis: int, interleave: bool = False) -> Tensor:
    """One after another along `axis`; interleaved, their slices take turns."""
    if not interleave:
        return torch.cat(values, axis)
    axis %= values[0].dim()
    return torch.stack(values, axis + 1).flatten(axis, axis + 1)


def stack(values: tuple[Tensor, ...], axis: int) -> Tensor:
    """Side by side along a new dimension."""
    return torch.stack(values, axis)


def split(
    x: Tensor, axis: int, num_splits: int | None = None, split_sizes: tuple[int, ...] | None = None
) -> tuple[Tensor, ...]:
    """Pieces along `axis`, of `split_sizes` or all equal."""
    if split_sizes is not None:
        return torch.split(x, list(split_sizes), axis)
    if num_splits is None or x.shape[axis] % num_splits:
        raise ValueError(f"{x.shape[axis]} elements cannot be split into {num_splits} equal pieces")
    return torch.split(x, x.shape[axis] // num_splits, axis)


def slice_by_index(
    x: Tensor,
    begin: tuple[int, ...],
    end: tuple[int, ...],
    stride: tuple[int, ...] | None = None,
    begin_mask: tuple[bool, ...] | None = None,
    end_mask: tuple[bool, ...] | None = None,
    squeeze_mask: tuple[bool, ...] | None = None,
) -> Tensor:
    """NumPy's slicing: a mask stands for an end left open, `squeeze_mask` for a plain index."""
    for axis in reversed(range(x.dim())):
        if squeeze_mask and squeeze_mask[axis]:
            x = x.select(axis, begin[axis])
            continue
        first = None if begin_mask and begin_mask[axis] else begin[axis]
        last = None if end_mask and end_mask[axis] else end[axis]
        chosen = range(x.shape[axis])[first : last : stride[axis] if stride else 1]
        if chosen != range(x.shape[axis]):
            x = x.index_select(axis, torch.tensor(chosen, dtype=torch.int64))
    return x


def slice_by_size(x: Tensor, begin: tuple[int, ...], size: tuple[int, ...]) -> Tensor:
    """`size` elements from `begin` in each dimension; -1 is all that are left."""
    for axis, (first, count) in enumerate(zip(begin, size, strict=True)):
        first %= x.shape[axis]
        x = x.narrow(axis, first, x.shape[axis] - first if count == -1 else count)
    return x


def pad(
    x: Tensor,
    pad: tuple[int, ...],
    mode: Literal["constant", "reflect", "replicate"] = "constant",
    constant_val: float = 0.0,
) -> Tensor:
    """Elements before and after each of the last dimensions, given first dimension first."""
    pairs = [pad[i : i + 2] for i in range(0, len(pad), 2)]
    if mode == "constant":
        return F.pad(x, [amount for pair in reversed(pairs) for amount in pair], value=constant_val)
    first = x.dim() - len(pairs)
    for axis, (before, after) in enumerate(pairs, start=first):
        size = x.shape[axis]
        places = torch.arange(-before, size + after)
        mirrored = (size - 1) - ((size - 1) - places.abs()).abs()
        x = x.index_select(axis, places.clamp(0, size - 1) if mode == "replicate" else mirrored)
    return x


def tile(x: Tensor, reps: tuple[int, ...]) -> Tensor:
    """Repeated `reps` times along each dimension."""
    return x.repeat(reps)


def reverse(x: Tensor, axes: tuple[int, ...] | None = None) -> Tensor:
    """Back to front along `axes` (all of them by default)."""
    return x.flip(axes if axes is not None else tuple(range(x.dim())))


def gather(
    x: Tensor,
    indices: Tensor,
    axis: int = 0,
    batch_dims: Literal[0] = 0,  # noqa: ARG001  (no network of ours gathers by batch)
    validate_indices: bool = False,  # noqa: ARG001  (torch refuses a wrong index in any case)
) -> Tensor:
    """The slices of x along `axis` that `indices` name, in the indices' shape; a negative one counts from the end."""
    axis %= x.dim()
    places = torch.where(indices < 0, indices + x.shape[axis], indices).flatten()
    return x.index_select(axis, places.int()).reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])


def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """Channels (N,C·r²,H,W) laid out as pixels (N,C,H·r,W·r)."""
    return F.pixel_shuffle(x, upscale_factor)


def upsample_nearest_neighbor(x: Tensor, scale_factor_height: float = 1.0, scale_factor_width: float = 1.0) -> Tensor:
    """(N,C,H,W) with every pixel repeated; factors must be whole."""
    height, width = int(scale_factor_height), int(scale_factor_width)
    if (height, width) != (scale_factor_height, scale_factor_width):
        raise ValueError(f"scale factors {scale_factor_height} and {scale_factor_width} are not whole")
    return x.repeat_interleave(height, -2).repeat_interleave(width, -1)


OPERATORS: dict[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    "concat": concat,
    "expand_dims": expand_dims,
    "gather": gather,
    "pad": pad,
    "pixel_shuffle": pixel_shuffle,
    "reshape": reshape,
    "reverse": reverse,
    "slice_by_index": slice_by_index,
    "slice_by_size": slice_by_size,
    "split": split,
    "squeeze": squeeze,
    "stack": stack,
    "tile": tile,
    "transpose": transpose,
    "upsample_nearest_neighbor": upsample_nearest_neighbor,
}
