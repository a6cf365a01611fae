"""Pools over windows."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from mobiconvert.mil_evaluator.operators.padding import Pads, PadType, resolve_pads, torch_order

_AVERAGES = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_MAXIMA = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def max_pool(
    x: Tensor,
    kernel_sizes: tuple[int, ...],
    pad_type: PadType,
    strides: tuple[int, ...] | None = None,
    pad: tuple[int, ...] | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Largest value of each window; padding never wins."""
    strides = strides or (1,) * len(kernel_sizes)
    pads = _pool_pads(x, kernel_sizes, pad_type, strides, pad, ceil_mode)
    return _MAXIMA[len(kernel_sizes)](F.pad(x, torch_order(pads), value=-math.inf), kernel_sizes, strides)


def avg_pool(
    x: Tensor,
    kernel_sizes: tuple[int, ...],
    pad_type: PadType,
    strides: tuple[int, ...] | None = None,
    pad: tuple[int, ...] | None = None,
    ceil_mode: bool = False,
    exclude_padding_from_average: bool = False,
) -> Tensor:
    """Mean of each window: of its own elements, and of the padding's zeros unless those are excluded.

    What `ceil_mode` adds past the padding is in no mean.
    """
    strides = strides or (1,) * len(kernel_sizes)
    pads = _pool_pads(x, kernel_sizes, pad_type, strides, pad, ceil_mode)
    average = _AVERAGES[len(kernel_sizes)]
    means = average(F.pad(x, torch_order(pads)), kernel_sizes, strides)
    asked = resolve_pads(pad_type, pad, tuple(x.shape[2:]), kernel_sizes, strides)
    if pads == asked and not exclude_padding_from_average:
        return means
    counted = torch.ones(1, 1, *x.shape[2:])
    if not exclude_padding_from_average:
        counted = F.pad(counted, torch_order(asked), value=1.0)
        pads = tuple((0, after - wanted) for (_, after), (_, wanted) in zip(pads, asked, strict=True))
    return means / average(F.pad(counted, torch_order(pads)), kernel_sizes, strides)


def l2_pool(
    x: Tensor,
    kernel_sizes: tuple[int, ...],
    pad_type: PadType,
    strides: tuple[int, ...] | None = None,
    pad: tuple[int, ...] | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Root of each window's sum of squares; padding adds nothing."""
    strides = strides or (1,) * len(kernel_sizes)
    pads = _pool_pads(x, kernel_sizes, pad_type, strides, pad, ceil_mode)
    means = _AVERAGES[len(kernel_sizes)](F.pad(x.square(), torch_order(pads)), kernel_sizes, strides)
    return (means * math.prod(kernel_sizes)).sqrt()


def _pool_pads(
    x: Tensor,
    kernel: tuple[int, ...],
    pad_type: PadType,
    strides: tuple[int, ...],
    pad: tuple[int, ...] | None,
    ceil_mode: bool,
) -> Pads:
    """Padding that makes every window whole; `ceil_mode` keeps a last window that begins in x."""
    sizes = tuple(x.shape[2:])
    pads = resolve_pads(pad_type, pad, sizes, kernel, strides)
    if not ceil_mode:
        return pads
    grown = []
    for size, extent, stride, (before, after) in zip(sizes, kernel, strides, pads, strict=True):
        count = -(-(size + before + after - extent) // stride) + 1
        if (count - 1) * stride >= size + before and before + after > 0:
            count -= 1
        grown.append((before, max(after, (count - 1) * stride + extent - size - before)))
    return tuple(grown)


OPERATORS: dict[str, Callable[..., Tensor]] = {"avg_pool": avg_pool, "l2_pool": l2_pool, "max_pool": max_pool}
