"""A convolution that stands in for another one, with the very same parameters."""

from typing import Any, TypeVar

from torch import nn

Convolution = TypeVar("Convolution", bound=nn.Conv2d)


def stand_in(convolution: nn.Conv2d, kind: type[Convolution], padding: Any) -> Convolution:
    """A `kind` of convolution in place of `convolution`, whose parameters it shares; `padding` is what it adds itself.

    Dilation stays 1.
    """
    replacement = kind(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]
        convolution.stride,  # type: ignore[arg-type]
        padding,
        groups=convolution.groups,
        bias=convolution.bias is not None,
        device="meta",
    )
    replacement.weight, replacement.bias = convolution.weight, convolution.bias
    return replacement
