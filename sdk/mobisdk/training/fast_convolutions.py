"""Convolutions as a processor computes them quickly, forward and backward, standing in for a network's own.

Each gives the values and gradients of the convolution that it stands in for. They are for the CPU: where oneDNN, which
computes torch's convolutions there, has a slow path, these take another.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobisdk.layers.depthwise import is_depthwise
from mobisdk.layers.standing_in import stand_in


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution, quick on small maps and in bfloat16.

    On maps smaller than the filters oneDNN has no kernel for the filters' gradient: what it does instead takes 10 to 40
    times as long, an eighth of a whole step at 32×32. The map is grown to the filters' size and the result cut: zeros
    beyond the padding's zeros change no value.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Convolve (N,C,H,W) of any size."""
        height, width = features.shape[2:]
        rows, columns = self.kernel_size
        if height >= rows and width >= columns:
            return self._convolve(features)
        padding = cast(tuple[int, int], self.padding)
        height_out = (height + 2 * padding[0] - rows) // self.stride[0] + 1
        width_out = (width + 2 * padding[1] - columns) // self.stride[1] + 1
        grown = F.pad(features, (0, max(0, columns - width), 0, max(0, rows - height)))
        convolved = self._convolve(grown)[:, :, :height_out, :width_out]
        return convolved.contiguous(memory_format=torch.channels_last)

    def _convolve(self, features: Tensor) -> Tensor:
        is_plain = self.bias is None and self.out_channels == self.groups
        if not is_plain or not torch.is_autocast_enabled("cpu"):
            return super().forward(features)
        dtype = torch.get_autocast_dtype("cpu")
        convolved: Tensor = _Depthwise.apply(  # type: ignore[no-untyped-call]
            features.to(dtype), self.weight.to(dtype), self.stride, cast(tuple[int, int], self.padding)
        )
        return convolved


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution whose input's gradient is a convolution forward, by the mirrored filters.

    oneDNN's own gradient takes twice as long in bfloat16, and 50 times where the convolution strides.
    """

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(features, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        features, weight = ctx.saved_tensors
        (gradient,) = gradients
        arguments = (None, ctx.stride, ctx.padding, (1, 1), False, (0, 0), len(weight))
        _, of_weight, _ = torch.ops.aten.convolution_backward(
            gradient, features, weight, *arguments, [False, True, False]
        )
        spread = _spread(
            gradient,
            ctx.stride,
            [
                size + 2 * rim - side + 1
                for size, rim, side in zip(features.shape[2:], ctx.padding, weight.shape[2:], strict=True)
            ],
        )
        rims = [side - 1 - rim for side, rim in zip(weight.shape[2:], ctx.padding, strict=True)]
        of_features = F.conv2d(spread, weight.flip(2, 3), None, 1, rims, groups=len(weight))
        return of_features, of_weight, None, None


def _spread(gradient: Tensor, stride: tuple[int, int], size: list[int]) -> Tensor:
    """What a convolution without stride would have been given back: zeros where the stride steps over."""
    if stride == (1, 1):
        return gradient
    shape = (*gradient.shape[:2], *size)
    spread = torch.empty(shape, dtype=gradient.dtype, memory_format=torch.channels_last).zero_()
    spread[:, :, :: stride[0], :: stride[1]] = gradient
    return spread


class PointwiseConv2d(nn.Conv2d):
    """A 1×1 convolution as the matrix product that it is over pixels whose channels lie side by side."""

    def forward(self, features: Tensor) -> Tensor:
        """Convolve (N,C,H,W) in channels_last memory."""
        return F.linear(features.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


@contextlib.contextmanager
def sped_up_convolutions(network: nn.Module) -> Iterator[None]:
    """For a while, as `speed_up_convolutions_`."""
    replaced = speed_up_convolutions_(network)
    try:
        yield
    finally:
        for name, module in replaced.items():
            network.set_submodule(name, module)


def speed_up_convolutions_(network: nn.Module) -> dict[str, nn.Module]:
    """Let a quick convolution with the very same parameters stand in for every depthwise and 1×1 one.

    Convolutions of another class, as parametrizations make them, stay: only their own `forward` knows their filters.
    Gives those that were replaced, by name.
    """
    replaced: dict[str, nn.Module] = {}
    for name, module in list(network.named_modules()):
        if type(module) is nn.Conv2d and (kind := _choose(module)) is not None:
            replaced[name] = module
            network.set_submodule(name, stand_in(module, kind, module.padding))
    return replaced


def _choose(convolution: nn.Conv2d) -> type[nn.Conv2d] | None:
    if is_depthwise(convolution) and convolution.dilation == (1, 1):
        return DepthwiseConv2d
    is_pointwise = (convolution.kernel_size, convolution.stride, convolution.groups) == ((1, 1), (1, 1), 1)
    return PointwiseConv2d if is_pointwise and convolution.padding == (0, 0) else None
