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
class _Conv:
    """One full convolution."""

    kernel: int
    out: int
    stride: int = 1


@dataclasses.dataclass(frozen=True)
class _Fused:
    """A full convolution that expands and filters, a 1×1 one that projects."""

    expansion: int
    out: int
    stride: int


@dataclasses.dataclass(frozen=True)
class _Universal:
    """Depthwise filters' sizes before and within the expansion (0: none)."""

    before: int
    within: int
    expansion: int
    out: int
    stride: int = 1


_Row = _Conv | _Fused | _Universal

_SMALL: tuple[_Row, ...] = (
    _Conv(3, 32, 2),  # 112x112 in
    _Conv(1, 32),  # 56x56 in
    _Conv(3, 96, 2),
    _Conv(1, 64),  # 28x28 in
    _Universal(5, 5, 3, 96, 2),
    *[_Universal(0, 3, 2, 96)] * 4,  # 14x14 in
    _Universal(3, 0, 4, 96),
    _Universal(3, 3, 6, 128, 2),
    _Universal(5, 5, 4, 128),  # 7x7 in
    _Universal(0, 5, 4, 128),
    _Universal(0, 5, 3, 128),
    *[_Universal(0, 3, 4, 128)] * 2,
)
_MEDIUM: tuple[_Row, ...] = (
    _Fused(4, 48, 2),  # 112x112 in
    _Universal(3, 5, 4, 80, 2),  # 56x56 in
    _Universal(3, 3, 2, 80),  # 28x28 in
    _Universal(3, 5, 6, 160, 2),
    *[_Universal(3, 3, 4, 160)] * 2,  # 14x14 in
    _Universal(3, 5, 4, 160),
    _Universal(3, 3, 4, 160),
    _Universal(3, 0, 4, 160),
    _Universal(0, 0, 2, 160),
    _Universal(3, 0, 4, 160),
    _Universal(5, 5, 6, 256, 2),
    _Universal(5, 5, 4, 256),  # 7x7 in
    *[_Universal(3, 5, 4, 256)] * 2,
    _Universal(0, 0, 4, 256),
    _Universal(3, 0, 4, 256),
    _Universal(3, 5, 2, 256),
    _Universal(5, 5, 4, 256),
    *[_Universal(0, 0, 4, 256)] * 2,
    _Universal(5, 0, 2, 256),
)
_LARGE: tuple[_Row, ...] = (
    _Fused(4, 48, 2),  # 112x112 in
    _Universal(3, 5, 4, 96, 2),  # 56x56 in
    _Universal(3, 3, 4, 96),  # 28x28 in
    _Universal(3, 5, 4, 192, 2),
    *[_Universal(3, 3, 4, 192)] * 3,  # 14x14 in
    _Universal(3, 5, 4, 192),
    *[_Universal(5, 3, 4, 192)] * 5,
    _Universal(3, 0, 4, 192),
    _Universal(5, 5, 4, 512, 2),
    *[_Universal(5, 5, 4, 512)] * 3,  # 7x7 in
    _Universal(5, 0, 4, 512),
    _Universal(5, 3, 4, 512),
    *[_Universal(5, 0, 4, 512)] * 2,
    _Universal(5, 3, 4, 512),
    _Universal(5, 5, 4, 512),
    *[_Universal(5, 0, 4, 512)] * 3,
)


class MobileNetV4(nn.Module):
    """Normalized (N,3,H,W) float32 of any H and W in, (N,num_classes) logits out."""

    def __init__(self, spec: ModelSpec, stem: int, rows: Sequence[_Row]) -> None:
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


def _build_block(in_channels: int, row: _Row, out_channels: int) -> nn.Module:
    match row:
        case _Conv():
            return ConvNormAct(in_channels, out_channels, row.kernel, stride=row.stride)
        case _Fused():
            expanded = nearest_multiple(row.expansion * in_channels, _DIVISOR)
            return FusedInvertedBottleneck(in_channels, expanded, out_channels, stride=row.stride)
        case _Universal():
            expanded = nearest_multiple(row.expansion * in_channels, _DIVISOR)
            return UniversalInvertedBottleneck(
                in_channels, expanded, out_channels, row.before, row.within, stride=row.stride
            )


def mobilenet_v4_conv_small(spec: ModelSpec) -> nn.Module:
    """MNv4-Conv-S."""
    return MobileNetV4(spec, 32, _SMALL)


def mobilenet_v4_conv_medium(spec: ModelSpec) -> nn.Module:
    """MNv4-Conv-M."""
    return MobileNetV4(spec, 32, _MEDIUM)


def mobilenet_v4_conv_large(spec: ModelSpec) -> nn.Module:
    """MNv4-Conv-L."""
    return MobileNetV4(spec, 24, _LARGE)
