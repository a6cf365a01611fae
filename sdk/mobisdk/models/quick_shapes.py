"""Shapes without values, and without the seconds that torch takes to get ready for them."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class QuickShapes(TorchFunctionMode):
    """On the meta device: shapes of what nearly every network is made of, by arithmetic, and nothing is drawn.

    torch is asked for every other operation, and for those that are wrong, so that it says what is wrong. Its own
    answers are the same, but most of them import SymPy and its compiler, which takes longer than importing torch.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Answer for `func`."""
        settings = kwargs or {}
        rule = _RULES.get(func)
        quick = None if rule is None else rule(*args, **settings)
        return func(*args, **settings) if quick is None else quick


def _keep(features: Tensor, *_: Any, **__: Any) -> Tensor | None:
    return features if features.is_meta else None


def _leave(tensor: Tensor, *_: Any, **__: Any) -> Tensor | None:
    return _keep(tensor)


def _broadcast(features: Tensor, other: Any, **_: Any) -> Tensor | None:
    if not features.is_floating_point():
        return None  # the other one may change its type
    if isinstance(other, Tensor):
        sizes = zip(other.shape[::-1], features.shape[::-1], strict=False)
        if other.dim() > features.dim() or any(here not in (1, there) for here, there in sizes):
            return None
    return _keep(features)


def _normalize(features: Tensor, running_mean: Tensor | None, *_: Any, **__: Any) -> Tensor | None:
    return _keep(features) if running_mean is not None and len(running_mean) == features.shape[1] else None


def _convolve(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,  # noqa: ARG001
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor | None:
    if features.dim() != 4 or features.shape[1] != weight.shape[1] * groups or isinstance(padding, str):
        return None
    return _slide(features, weight.shape[0], tuple(weight.shape[2:]), stride, padding, dilation)


def _convolve_transposed(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,  # noqa: ARG001
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor | None:
    if features.dim() != 4 or features.shape[1] != weight.shape[0]:
        return None
    settings = map(_pair, (stride, padding, output_padding, dilation))
    size = [
        (length - 1) * step - 2 * pad + gap * (kernel - 1) + more + 1
        for length, kernel, step, pad, more, gap in zip(features.shape[2:], weight.shape[2:], *settings, strict=True)
    ]
    return _on_meta(features, (features.shape[0], weight.shape[1] * groups, *size)) if min(size) > 0 else None


def _pool_max(
    features: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | None:
    if features.dim() != 4 or return_indices:
        return None
    return _slide(features, features.shape[1], kernel_size, stride or kernel_size, padding, dilation, ceil_mode)


def _pool_average(
    features: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, *_: Any
) -> Tensor | None:
    if features.dim() != 4:
        return None
    return _slide(features, features.shape[1], kernel_size, stride or kernel_size, padding, 1, ceil_mode)


def _slide(
    features: Tensor, channels: int, kernel: Any, stride: Any, padding: Any, dilation: Any, rounds_up: bool = False
) -> Tensor | None:
    sizes = []
    settings = map(_pair, (kernel, stride, padding, dilation))
    for size, length, step, pad, gap in zip(features.shape[2:], *settings, strict=True):
        room = size + 2 * pad - gap * (length - 1) - 1
        places = (-(-room // step) if rounds_up else room // step) + 1
        # A window that is rounded up must still begin on the map or on the padding before it.
        sizes.append(places - (rounds_up and (places - 1) * step >= size + pad))
    return _on_meta(features, (features.shape[0], channels, *sizes)) if min(sizes) > 0 else None


def _pair(setting: Any) -> Any:
    return setting if isinstance(setting, tuple) else (setting, setting)


def _multiply(features: Tensor, weight: Tensor, *_: Any) -> Tensor | None:
    return (
        _on_meta(features, (*features.shape[:-1], weight.shape[0])) if features.shape[-1] == weight.shape[1] else None
    )


def _average(features: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor | None:
    if not isinstance(dim, tuple) or not keepdim or min(dim) < 0:
        return None
    return _on_meta(features, [1 if axis in dim else size for axis, size in enumerate(features.shape)])


def _join(tensors: Sequence[Tensor], dim: int = 0) -> Tensor | None:
    first = tensors[0].shape
    dim %= len(first)
    if len({(*tensor.shape[:dim], *tensor.shape[dim + 1 :]) for tensor in tensors}) > 1:
        return None
    return _on_meta(tensors[0], (*first[:dim], sum(tensor.shape[dim] for tensor in tensors), *first[dim + 1 :]))


def _select(features: Tensor, dim: int, index: Tensor) -> Tensor | None:
    return _on_meta(features, (*features.shape[:dim], len(index), *features.shape[dim + 1 :])) if dim >= 0 else None


def _on_meta(like: Tensor, shape: Sequence[int]) -> Tensor | None:
    return torch.empty(shape, dtype=like.dtype, device="meta") if like.is_meta else None


_RULES: Final[dict[Any, Callable[..., Tensor | None]]] = {
    F.conv2d: _convolve,
    F.conv_transpose2d: _convolve_transposed,
    F.linear: _multiply,
    F.batch_norm: _normalize,
    F.max_pool2d: _pool_max,
    F.avg_pool2d: _pool_average,
    torch.cat: _join,
    Tensor.mean: _average,
    Tensor.index_select: _select,
    **dict.fromkeys((Tensor.add, Tensor.sub, Tensor.mul, Tensor.div), _broadcast),
    **dict.fromkeys((F.relu, F.relu6, F.hardtanh, F.hardsigmoid, F.hardswish, F.silu, F.dropout, Tensor.neg), _keep),
    **dict.fromkeys((nn.init.kaiming_uniform_, nn.init.uniform_), _leave),
    **dict.fromkeys((Tensor.uniform_, Tensor.normal_, Tensor.bernoulli_, Tensor.fill_, Tensor.zero_), _keep),
}
