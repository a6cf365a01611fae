"""A flattened network: every filter behind the stem is three one-dimensional ones.

Source: Jin et al. 2014, "Flattened Convolutional Neural Networks for Feedforward Acceleration" (arXiv:1412.5474). The
paper's nets are for 32×32 images; here its layer stands in MobileNetV1's plan, so that `mobilenet_v1_full_conv` is the
same network with full filters.
"""

from torch import nn

from mobisdk.layers import FlattenedConv2d
from mobisdk.models.mobilenet_v1 import BLOCKS, MobileNetV1
from mobisdk.specs import ModelSpec


def flattened(spec: ModelSpec) -> nn.Module:
    """Thirteen flattened 3×3 convolutions."""
    return MobileNetV1(spec, BLOCKS, _build_block)


def _build_block(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    return nn.Sequential(
        FlattenedConv2d(in_channels, out_channels, 3, stride=stride, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
