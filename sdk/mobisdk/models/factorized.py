"""A factorized network: single intra-channel convolutions, projections in parts, spatial bottlenecks, residuals.

Source: Wang et al. 2016, "Factorized Convolutional Neural Networks" (arXiv:1608.04337). Its layers stand in
MobileNetV1's plan, so that `mobilenet_v1_full_conv` is the same network with full filters. Where the shapes agree the
input is added: the spatial bottleneck at wide maps, the projection in four parts where channels are many.
"""

from torch import Tensor, nn

from mobisdk.errors import ConfigError
from mobisdk.layers import SingleIntraChannelConv2d, SpatialBottleneckConv2d
from mobisdk.models.mobilenet_v1 import BLOCKS, STEM_CHANNELS, MobileNetV1
from mobisdk.models.width import scale_widths
from mobisdk.specs import ModelSpec

_SUBDIVISION = 4
_FEW_CHANNELS = 256
"""Up to here, at α = 1, a layer that keeps its shape is a spatial bottleneck; beyond, its projection is subdivided."""


class _Residual(nn.Module):
    """A layer with norm and ReLU beside its input, all of the same shape."""

    def __init__(self, layer: nn.Module, channels: int) -> None:
        super().__init__()
        self.layer = layer
        self.norm = nn.BatchNorm2d(channels)
        self.act = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        added: Tensor = features + self.act(self.norm(self.layer(features)))
        return added


def factorized(spec: ModelSpec) -> nn.Module:
    """Thirteen factorized 3×3 convolutions.

    Raises:
        ConfigError: α leaves channels that do not divide into four parts.
    """
    _, few, wide, widest = scale_widths([STEM_CHANNELS, _FEW_CHANNELS, 512, 1024], spec)
    if wide % _SUBDIVISION or widest % _SUBDIVISION:
        raise ConfigError(
            f"alpha leaves {spec.arch} channels that do not divide into {_SUBDIVISION} parts",
            got=f"{spec.alpha:g}: {wide} and {widest}",
            hint=f"Use --width-divisor {_SUBDIVISION}, or an alpha of 0.25, 0.5, 0.75 or 1",
        )

    def build_block(in_channels: int, out_channels: int, stride: int) -> nn.Module:
        if stride == 1 and in_channels == out_channels:
            if out_channels <= few:
                return _Residual(SpatialBottleneckConv2d(in_channels, out_channels), out_channels)
            return _Residual(
                SingleIntraChannelConv2d(in_channels, out_channels, 3, subdivision=_SUBDIVISION, bias=False),
                out_channels,
            )
        return nn.Sequential(
            SingleIntraChannelConv2d(in_channels, out_channels, 3, stride=stride, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    return MobileNetV1(spec, BLOCKS, build_block)
