"""MobileNetV3, large and small.

Source: Howard et al. 2019, "Searching for MobileNetV3" (arXiv:1905.02244), tables 1 and 2.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from mobisdk.layers import ConvNormAct, InvertedResidual
from mobisdk.models.initialization import initialize_
from mobisdk.models.width import nearest_multiple, tabulate_widths
from mobisdk.specs import ModelSpec

_STEM_CHANNELS = 16
_DIVISOR = 8
_EPSILON = 1e-3
"""Of batch norm, as in the reference code."""
_DROPOUT = 0.2


class Row(NamedTuple):
    """One row of the paper's tables."""

    kernel: int
    expanded: int
    out: int
    excites: bool
    activation: type[nn.Module]
    stride: int


_RE, _HS = nn.ReLU, nn.Hardswish
LARGE = (
    Row(3, 16, 16, False, _RE, 1),  # 112x112 in
    Row(3, 64, 24, False, _RE, 2),
    Row(3, 72, 24, False, _RE, 1),  # 56x56 in
    Row(5, 72, 40, True, _RE, 2),
    Row(5, 120, 40, True, _RE, 1),  # 28x28 in
    Row(5, 120, 40, True, _RE, 1),
    Row(3, 240, 80, False, _HS, 2),
    Row(3, 200, 80, False, _HS, 1),  # 14x14 in
    Row(3, 184, 80, False, _HS, 1),
    Row(3, 184, 80, False, _HS, 1),
    Row(3, 480, 112, True, _HS, 1),
    Row(3, 672, 112, True, _HS, 1),
    Row(5, 672, 160, True, _HS, 2),
    Row(5, 960, 160, True, _HS, 1),  # 7x7 in
    Row(5, 960, 160, True, _HS, 1),
)
SMALL = (
    Row(3, 16, 16, True, _RE, 2),  # 112x112 in
    Row(3, 72, 24, False, _RE, 2),  # 56x56 in
    Row(3, 88, 24, False, _RE, 1),  # 28x28 in
    Row(5, 96, 40, True, _HS, 2),
    Row(5, 240, 40, True, _HS, 1),  # 14x14 in
    Row(5, 240, 40, True, _HS, 1),
    Row(5, 120, 48, True, _HS, 1),
    Row(5, 144, 48, True, _HS, 1),
    Row(5, 288, 96, True, _HS, 2),
    Row(5, 576, 96, True, _HS, 1),  # 7x7 in
    Row(5, 576, 96, True, _HS, 1),
)
_LARGE_HIDDEN, _SMALL_HIDDEN = 1280, 1024


class MobileNetV3(nn.Module):
    """Normalized (N,3,H,W) float32 of any H and W in, (N,num_classes) logits out."""

    def __init__(self, spec: ModelSpec, rows: Sequence[Row], hidden: int) -> None:
        super().__init__()
        channels = {_STEM_CHANNELS, hidden, *(row.expanded for row in rows), *(row.out for row in rows)}
        widths = tabulate_widths(channels, spec, _DIVISOR)
        self.stem = ConvNormAct(3, widths[_STEM_CHANNELS], 3, stride=spec.stem_stride, activation=_HS, epsilon=_EPSILON)
        blocks = []
        in_channels = widths[_STEM_CHANNELS]
        for row in rows:
            expanded = widths[row.expanded]
            blocks.append(
                InvertedResidual(
                    in_channels,
                    expanded,
                    widths[row.out],
                    row.kernel,
                    stride=row.stride,
                    squeezed=nearest_multiple(expanded // 4, _DIVISOR) if row.excites else None,
                    activation=row.activation,
                    epsilon=_EPSILON,
                )
            )
            in_channels = widths[row.out]
        self.blocks = nn.Sequential(*blocks)
        last = 6 * in_channels
        self.last = ConvNormAct(in_channels, last, 1, activation=_HS, epsilon=_EPSILON)
        self.hidden = nn.Linear(last, widths[hidden])
        self.act = nn.Hardswish(inplace=True)
        self.dropout = nn.Dropout(_DROPOUT)
        self.classifier = nn.Linear(widths[hidden], spec.num_classes)
        initialize_(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of normalized images."""
        features = self.last(self.blocks(self.stem(images)))  # (N,C,H/32,W/32)
        pooled = features.mean(dim=(2, 3), keepdim=True).flatten(1)
        logits: Tensor = self.classifier(self.dropout(self.act(self.hidden(pooled))))
        return logits


def mobilenet_v3_large(spec: ModelSpec) -> nn.Module:
    """Fifteen blocks, for phones with resources to spare (table 1)."""
    return MobileNetV3(spec, LARGE, _LARGE_HIDDEN)


def mobilenet_v3_small(spec: ModelSpec) -> nn.Module:
    """Eleven blocks, for phones without (table 2)."""
    return MobileNetV3(spec, SMALL, _SMALL_HIDDEN)
