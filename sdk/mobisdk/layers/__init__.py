"""The blocks that the architectures are built of."""

from mobisdk.layers.conv_norm_act import ConvNormAct
from mobisdk.layers.separable_conv import SeparableConv2d

__all__ = ["ConvNormAct", "SeparableConv2d"]
