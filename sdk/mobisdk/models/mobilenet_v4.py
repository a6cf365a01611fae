"""MobileNetV4's convolutional networks: small, medium, large.

Source: Qin et al. 2024, "MobileNetV4: Universal Models for the Mobile Ecosystem" (arXiv:2404.10518), appendix D.
"""

import dataclasses
from collections.abc import Sequence

from torch import Tensor, nn

from mobisdk.layers import ConvNormAct, FusedInvertedBottleneck, UniversalInvertedBottleneck
from mobisdk.models.initialization import initialize_
from mobisdk.models.width import nearest_multiple, tabulate_widths
from mobisdk.specs import ModelSpec

_DIVISOR = 8
_LAST_CHANNELS = 960
_HIDDEN = 1280
_DROPOUT = 0.2


@dataclasses.dataclass(frozen=True)
class Conv:
    """One full convolution."""

    kernel: int
    out: int
    stride: int = 1


@dataclasses.dataclass(frozen=True)
class Fused:
    """A full convolution that expands and filters, a 1×1 one that projects."""

    expansion: int
    out: int
    stride: int


@dataclasses.dataclass(frozen=True)
class Universal:
    """Depthwise filters' sizes before and within the expansion (0: none)."""

    before: int
    within: int
    expansion: int
    out: int
    stride: int = 1


Row = Conv | Fused | Universal

SMALL: tuple[Row, ...] = (
    Conv(3, 32, 2),  # 112x112 in
    Conv(1, 32),  # 56x56 in
    Conv(3, 96, 2),
    Conv(1, 64),  # 28x28 in
    Universal(5, 5, 3, 96, 2),
    *[Universal(0, 3, 2, 96)] * 4,  # 14x14 in
    Universal(3, 0, 4, 96),
    Universal(3, 3, 6, 128, 2),
    Universal(5, 5, 4, 128),  # 7x7 in
    Universal(0, 5, 4, 128),
    Universal(0, 5, 3, 128),
    *[Universal(0, 3, 4, 128)] * 2,
)
MEDIUM: tuple[Row, ...] = (
    Fused(4, 48, 2),  # 112x112 in
    Universal(3, 5, 4, 80, 2),  # 56x56 in
    Universal(3, 3, 2, 80),  # 28x28 in
    Universal(3, 5, 6, 160, 2),
    *[Universal(3, 3, 4, 160)] * 2,  # 14x14 in
    Universal(3, 5, 4, 160),
    Universal(3, 3, 4, 160),
    Universal(3, 0, 4, 160),
    Universal(0, 0, 2, 160),
    Universal(3, 0, 4, 160),
    Universal(5, 5, 6, 256, 2),
    Universal(5, 5, 4, 256),  # 7x7 in
    *[Universal(3, 5, 4, 256)] * 2,
    Universal(0, 0, 4, 256),
    Universal(3, 0, 4, 256),
    Universal(3, 5, 2, 256),
    Universal(5, 5, 4, 256),
    *[Universal(0, 0, 4, 256)] * 2,
    Universal(5, 0, 2, 256),
)
LARGE: tuple[Row, ...] = (
    Fused(4, 48, 2),  # 112x112 in
    Universal(3, 5, 4, 96, 2),  # 56x56 in
    Universal(3, 3, 4, 96),  # 28x28 in
    Universal(3, 5, 4, 192, 2),
    *[Universal(3, 3, 4, 192)] * 3,  # 14x14 in
    Universal(3, 5, 4, 192),
    *[Universal(5, 3, 4, 192)] * 5,
    Universal(3, 0, 4, 192),
    Universal(5, 5, 4, 512, 2),
    *[Universal(5, 5, 4, 512)] * 3,  # 7x7 in
    Universal(5, 0, 4, 512),
    Universal(5, 3, 4, 512),
    *[Universal(5, 0, 4, 512)] * 2,
    Universal(5, 3, 4, 512),
    Universal(5, 5, 4, 512),
    *[Universal(5, 0, 4, 512)] * 3,
)


class MobileNetV4(nn.Module):
    """Normalized (N,3,H,W) float32 of any H and W in, (N,num_classes) logits out."""

    def __init__(self, spec: ModelSpec, stem: int, rows: Sequence[Row]) -> None:
        super().__init__()
        widths = tabulate_widths({stem, _LAST_CHANNELS, *(row.out for row in rows)}, spec, _DIVISOR)
        # The reference code keeps the stem whole below α = 1.
        in_channels = max(stem, widths[stem])
        self.stem = ConvNormAct(3, in_channels, 3, stride=spec.stem_stride)
        blocks: list[nn.Module] = []
        for row in rows:
            blocks.append(_build_block(in_channels, row, widths[row.out]))
            in_channels = widths[row.out]
        self.blocks = nn.Sequential(*blocks)
        self.last = ConvNormAct(in_channels, widths[_LAST_CHANNELS], 1)
        self.hidden = ConvNormAct(widths[_LAST_CHANNELS], _HIDDEN, 1)
        self.dropout = nn.Dropout(_DROPOUT)
        self.classifier = nn.Linear(_HIDDEN, spec.num_classes)
        initialize_(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of normalized images."""
        features = self.last(self.blocks(self.stem(images)))  # (N,960,H/32,W/32)
        hidden = self.hidden(features.mean(dim=(2, 3), keepdim=True)).flatten(1)
        logits: Tensor = self.classifier(self.dropout(hidden))
        return logits


def _build_block(in_channels: int, row: Row, out_channels: int) -> nn.Module:
    match row:
        case Conv():
            return ConvNormAct(in_channels, out_channels, row.kernel, stride=row.stride)
        case Fused():
            expanded = nearest_multiple(row.expansion * in_channels, _DIVISOR)
            return FusedInvertedBottleneck(in_channels, expanded, out_channels, stride=row.stride)
        case Universal():
            expanded = nearest_multiple(row.expansion * in_channels, _DIVISOR)
            return UniversalInvertedBottleneck(
                in_channels, expanded, out_channels, row.before, row.within, stride=row.stride
            )


def mobilenet_v4_conv_small(spec: ModelSpec) -> nn.Module:
    """MNv4-Conv-S."""
    return MobileNetV4(spec, 32, SMALL)


def mobilenet_v4_conv_medium(spec: ModelSpec) -> nn.Module:
    """MNv4-Conv-M."""
    return MobileNetV4(spec, 32, MEDIUM)


def mobilenet_v4_conv_large(spec: ModelSpec) -> nn.Module:
    """MNv4-Conv-L."""
    return MobileNetV4(spec, 24, LARGE)
