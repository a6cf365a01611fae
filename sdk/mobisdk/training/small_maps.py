"""Depthwise convolutions on maps smaller than their filters, as networks for 32×32 images have them at their end."""

import contextlib
from collections.abc import Iterator
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobisdk.training.optimization import is_depthwise


class SmallMapConv2d(nn.Conv2d):
    """The same convolution, computed on a map of at least the filters' size and cut to what was asked for.

    oneDNN has no kernel for the filters' gradient on smaller maps: what it does instead takes 10 to 40 times as long,
    an eighth of a whole step at 32×32. Zeros beyond the padding's zeros change no value.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Convolve (N,C,H,W) of any size."""
        height, width = features.shape[2:]
        rows, columns = self.kernel_size
        if height >= rows and width >= columns:
            return super().forward(features)
        padding = cast(tuple[int, int], self.padding)
        height_out = (height + 2 * padding[0] - rows) // self.stride[0] + 1
        width_out = (width + 2 * padding[1] - columns) // self.stride[1] + 1
        grown = F.pad(features, (0, max(0, columns - width), 0, max(0, rows - height)))
        convolved = super().forward(grown)[:, :, :height_out, :width_out]
        return convolved.contiguous(memory_format=torch.channels_last)


@contextlib.contextmanager
def sped_up_small_maps(network: nn.Module) -> Iterator[None]:
    """Let a SmallMapConv2d with the very same parameters stand in for every depthwise convolution.

    Convolutions of another class, as parametrizations make them, stay: only their own `forward` knows their filters.
    """
    replaced: dict[str, nn.Module] = {}
    for name, module in list(network.named_modules()):
        if type(module) is nn.Conv2d and is_depthwise(module):
            replaced[name] = module
            replacement = SmallMapConv2d(
                module.in_channels,
                module.out_channels,
                module.kernel_size,  # type: ignore[arg-type]
                module.stride,  # type: ignore[arg-type]
                module.padding,  # type: ignore[arg-type]
                groups=module.groups,
                bias=module.bias is not None,
                device="meta",
            )
            replacement.weight, replacement.bias = module.weight, module.bias
            network.set_submodule(name, replacement)
    try:
        yield
    finally:
        for name, module in replaced.items():
            network.set_submodule(name, module)
