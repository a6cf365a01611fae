"""Depthwise convolutions."""

from torch import nn


def is_depthwise(layer: nn.Module) -> bool:
    """Whether this is a convolution in which every channel has filters of its own."""
    return isinstance(layer, nn.Conv2d) and layer.groups > 1 and layer.groups == layer.in_channels
