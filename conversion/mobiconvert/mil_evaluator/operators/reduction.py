"""Operations that sum up dimensions, and the normalizations that rest on them."""

import functools
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """gamma · (x − mean) / √(variance + ε) + beta, a channel of (N,C,*D) each."""
    return F.batch_norm(x, mean, variance, gamma, beta, training=False, eps=epsilon)


def instance_norm(x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, epsilon: float = 1e-5) -> Tensor:
    """Each image's channels normalized by themselves, over all of *D of (N,C,*D)."""
    return F.instance_norm(x, weight=gamma, bias=beta, eps=epsilon)


def layer_norm(
    x: Tensor,
    axes: tuple[int, ...] | None = None,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """x normalized over `axes` (all of them by default), then scaled and shifted."""
    over = sorted(axis % x.dim() for axis in (axes if axes is not None else range(x.dim())))
    variance, mean = torch.var_mean(x, over, correction=0, keepdim=True)
    normal = (x - mean) * torch.rsqrt(variance + epsilon)
    shape = [size if axis in over else 1 for axis, size in enumerate(x.shape)]
    if gamma is not None:
        normal = normal * gamma.reshape(shape)
    return normal if beta is None else normal + beta.reshape(shape)


def l2_norm(x: Tensor, epsilon: float = 1e-6) -> Tensor:
    """x over the root of its squares' sum plus ε, the last three dimensions together."""
    return x / (x.square().sum((-3, -2, -1), keepdim=True) + epsilon).sqrt()


def local_response_norm(x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x over (k + alpha · the mean square of `size` neighbouring channels) to the power beta."""
    return F.local_response_norm(x, size, alpha, beta, k)


def reduce_argmax(
    x: Tensor,
    axis: int = -1,
    keep_dims: bool = False,
    output_dtype: Literal["int32", "uint16"] = "int32",  # noqa: ARG001  (the caller makes it so)
) -> Tensor:
    """Place of the largest value along `axis`."""
    return x.argmax(axis, keep_dims)


def reduce_argmin(
    x: Tensor,
    axis: int = -1,
    keep_dims: bool = False,
    output_dtype: Literal["int32", "uint16"] = "int32",  # noqa: ARG001
) -> Tensor:
    """Place of the smallest value along `axis`."""
    return x.argmin(axis, keep_dims)


def _over_axes(function: Callable[[Tensor, list[int], bool], Tensor]) -> Callable[..., Tensor]:
    def operator(x: Tensor, axes: tuple[int, ...] | None = None, keep_dims: bool = False) -> Tensor:
        return function(x, list(axes) if axes is not None else list(range(x.dim())), keep_dims)

    return operator


def _reduce_prod(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    product = functools.reduce(lambda value, axis: value.prod(axis, keepdim=True), axes, x)
    return product if keep else product.squeeze(axes)


_REDUCTIONS: dict[str, Callable[[Tensor, list[int], bool], Tensor]] = {
    "reduce_l1_norm": lambda x, axes, keep: x.abs().sum(axes, keep),
    "reduce_l2_norm": lambda x, axes, keep: x.square().sum(axes, keep).sqrt(),
    "reduce_log_sum": lambda x, axes, keep: x.sum(axes, keep).log(),
    "reduce_log_sum_exp": lambda x, axes, keep: x.logsumexp(axes, keep),
    "reduce_max": lambda x, axes, keep: x.amax(axes, keep),
    "reduce_mean": lambda x, axes, keep: x.mean(axes, keep),
    "reduce_min": lambda x, axes, keep: x.amin(axes, keep),
    "reduce_prod": _reduce_prod,
    "reduce_sum": lambda x, axes, keep: x.sum(axes, keep),
    "reduce_sum_square": lambda x, axes, keep: x.square().sum(axes, keep),
}

OPERATORS: dict[str, Callable[..., Tensor]] = {
    **{name: _over_axes(function) for name, function in _REDUCTIONS.items()},
    "batch_norm": batch_norm,
    "instance_norm": instance_norm,
    "l2_norm": l2_norm,
    "layer_norm": layer_norm,
    "local_response_norm": local_response_norm,
    "reduce_argmax": reduce_argmax,
    "reduce_argmin": reduce_argmin,
}
