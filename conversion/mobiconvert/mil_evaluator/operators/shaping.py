"""Operations that move values without computing with them."""

import math
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


def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """Channels (N,C·r²,H,W) laid out as pixels (N,C,H·r,W·r)."""
    return F.pixel_shuffle(x, upscale_factor)


def pixel_unshuffle(x: Tensor, downscale_factor: int) -> Tensor:
    """Pixels (N,C,H,W) laid out as channels (N,C·r²,H/r,W/r): pixel_shuffle undone."""
    return F.pixel_unshuffle(x, downscale_factor)


def depth_to_space(x: Tensor, block_size: int) -> Tensor:
    """Channels (N,r²·C,H,W) laid out as pixels (N,C,H·r,W·r); unlike pixel_shuffle's, a block's rows come first."""
    count, channels, height, width = x.shape
    blocks = x.reshape(count, block_size, block_size, -1, height, width).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(count, channels // block_size**2, height * block_size, width * block_size)


def space_to_depth(x: Tensor, block_size: int) -> Tensor:
    """Pixels (N,C,H,W) laid out as channels (N,r²·C,H/r,W/r): depth_to_space undone."""
    count, channels, height, width = x.shape
    rows, columns = height // block_size, width // block_size
    blocks = x.reshape(count, channels, rows, block_size, columns, block_size).permute(0, 3, 5, 1, 2, 4)
    return blocks.reshape(count, channels * block_size**2, rows, columns)


def space_to_batch(x: Tensor, block_shape: tuple[int, ...], paddings: tuple[tuple[int, ...], ...]) -> Tensor:
    """Pixels (N,C,H,W), padded with zeros, laid out as images (r·s·N,C,H/r,W/s)."""
    (rows, columns), (top_bottom, left_right) = block_shape, paddings
    x = F.pad(x, (*left_right, *top_bottom))
    count, channels, height, width = x.shape
    blocks = x.reshape(count, channels, height // rows, rows, width // columns, columns).permute(3, 5, 0, 1, 2, 4)
    return blocks.reshape(-1, channels, height // rows, width // columns)


def batch_to_space(x: Tensor, block_shape: tuple[int, ...], crops: tuple[tuple[int, ...], ...]) -> Tensor:
    """Images (r·s·N,C,H,W) laid out as pixels (N,C,H·r,W·s), cropped: space_to_batch undone."""
    (rows, columns), (top_bottom, left_right) = block_shape, crops
    _, channels, height, width = x.shape
    blocks = x.reshape(rows, columns, -1, channels, height, width).permute(2, 3, 4, 0, 5, 1)
    return crop(blocks.reshape(-1, channels, height * rows, width * columns), top_bottom, left_right)


def crop(x: Tensor, crop_height: tuple[int, ...], crop_width: tuple[int, ...]) -> Tensor:
    """Without so many rows above and below, and columns left and right."""
    (top, bottom), (left, right) = crop_height, crop_width
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


def flatten2d(x: Tensor, axis: int = 1) -> Tensor:
    """A matrix: the dimensions before `axis`, and those from it on."""
    return x.reshape(math.prod(x.shape[:axis]), -1)


def sliding_windows(x: Tensor, axis: int, size: int, stride: int = 1) -> Tensor:
    """All windows of `size` along `axis`, in two dimensions where that one was."""
    axis %= x.dim()
    return x.unfold(axis, size, stride).movedim(-1, axis + 1)


def band_part(x: Tensor, lower: int = -1, upper: int = -1) -> Tensor:
    """Each matrix with zeros below its `lower` subdiagonals and above its `upper` ones; -1 keeps all."""
    below = torch.arange(x.shape[-2])[:, None] - torch.arange(x.shape[-1])
    kept = ((below <= lower) | (lower < 0)) & ((-below <= upper) | (upper < 0))
    return torch.where(kept, x, torch.zeros_like(x))


OPERATORS: dict[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    "band_part": band_part,
    "batch_to_space": batch_to_space,
    "concat": concat,
    "crop": crop,
    "depth_to_space": depth_to_space,
    "expand_dims": expand_dims,
    "flatten2d": flatten2d,
    "pad": pad,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "reshape": reshape,
    "reverse": reverse,
    "slice_by_index": slice_by_index,
    "slice_by_size": slice_by_size,
    "sliding_windows": sliding_windows,
    "space_to_batch": space_to_batch,
    "space_to_depth": space_to_depth,
    "split": split,
    "squeeze": squeeze,
    "stack": stack,
    "tile": tile,
    "transpose": transpose,
}
