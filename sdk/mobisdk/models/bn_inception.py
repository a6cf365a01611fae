"""Inception with batch norm, whose first layer is depthwise separable: where MobileNet's layers come from.

Source: Ioffe and Szegedy 2015, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
Shift" (arXiv:1502.03167), appendix and figure 5.
"""

from typing import Literal, NamedTuple

from torch import Tensor, nn

from mobisdk.layers import AveragePool3x3, ConvNormAct, Parallel
from mobisdk.models.initialization import initialize_
from mobisdk.models.width import tabulate_widths
from mobisdk.specs import ModelSpec

_DEPTH_MULTIPLIER = 8
"""Of the separable first layer: "our model employed separable convolution with depth multiplier 8"."""


class _Row(NamedTuple):
    """One row of figure 5: channels of 1×1, of 3×3 and what leads to it, of double 3×3, of the pooling's projection."""

    one: int
    reduced: int
    three: int
    reduced_double: int
    double: int
    pool: Literal["average", "max"]
    projected: int


class _Reduction(NamedTuple):
    """A row with stride 2: strided filters beside max pooling that passes all channels on."""

    reduced: int
    three: int
    reduced_double: int
    double: int


# Where the figure's column of depths does not add up (4c, 4d), the branches' own figures hold.
_ROWS = (
    _Row(64, 64, 64, 64, 96, "average", 32),  # 3a, 28x28 in
    _Row(64, 64, 96, 64, 96, "average", 64),  # 3b
    _Reduction(128, 160, 64, 96),  # 3c
    _Row(224, 64, 96, 96, 128, "average", 128),  # 4a, 14x14 in
    _Row(192, 96, 128, 96, 128, "average", 128),  # 4b
    _Row(160, 128, 160, 128, 160, "average", 128),  # 4c
    _Row(96, 128, 192, 160, 192, "average", 128),  # 4d
    _Reduction(128, 192, 192, 256),  # 4e
    _Row(352, 192, 320, 160, 224, "average", 128),  # 5a, 7x7 in
    _Row(352, 192, 320, 192, 224, "max", 128),  # 5b
)
_STEM = (64, 192)


class BNInception(nn.Module):
    """Normalized (N,3,H,W) float32 of any H and W in, (N,num_classes) logits out."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        numbers = {value for row in _ROWS for value in row if isinstance(value, int)}
        width = tabulate_widths({*_STEM, *numbers}, spec)
        first, second = (width[channels] for channels in _STEM)
        self.stem = nn.Sequential(
            nn.Conv2d(3, 3 * _DEPTH_MULTIPLIER, 7, spec.stem_stride, 3, groups=3, bias=False),
            ConvNormAct(3 * _DEPTH_MULTIPLIER, first, 1),
        )
        blocks: list[nn.Module] = [
            nn.MaxPool2d(3, 2, padding=1),  # 112x112 in
            ConvNormAct(first, first, 1),  # 56x56 in
            ConvNormAct(first, second, 3),
            nn.MaxPool2d(3, 2, padding=1),
        ]
        channels = second
        for row in _ROWS:
            if isinstance(row, _Row):
                blocks.append(_build_module(channels, row, width))
                channels = width[row.one] + width[row.three] + width[row.double] + width[row.projected]
            else:
                blocks.append(_build_reduction(channels, row, width))
                channels += width[row.three] + width[row.double]
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(channels, spec.num_classes)
        initialize_(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of normalized images."""
        features = self.blocks(self.stem(images))  # (N,1024,H/32,W/32)
        pooled = features.mean(dim=(2, 3), keepdim=True).flatten(1)
        logits: Tensor = self.classifier(pooled)
        return logits


def _build_module(channels: int, row: _Row, width: dict[int, int]) -> nn.Module:
    pool = AveragePool3x3() if row.pool == "average" else nn.MaxPool2d(3, 1, padding=1)
    return Parallel(
        ConvNormAct(channels, width[row.one], 1),
        nn.Sequential(
            ConvNormAct(channels, width[row.reduced], 1), ConvNormAct(width[row.reduced], width[row.three], 3)
        ),
        nn.Sequential(
            ConvNormAct(channels, width[row.reduced_double], 1),
            ConvNormAct(width[row.reduced_double], width[row.double], 3),
            ConvNormAct(width[row.double], width[row.double], 3),
        ),
        nn.Sequential(pool, ConvNormAct(channels, width[row.projected], 1)),
    )


def _build_reduction(channels: int, row: _Reduction, width: dict[int, int]) -> nn.Module:
    return Parallel(
        nn.Sequential(
            ConvNormAct(channels, width[row.reduced], 1), ConvNormAct(width[row.reduced], width[row.three], 3, stride=2)
        ),
        nn.Sequential(
            ConvNormAct(channels, width[row.reduced_double], 1),
            ConvNormAct(width[row.reduced_double], width[row.double], 3),
            ConvNormAct(width[row.double], width[row.double], 3, stride=2),
        ),
        nn.MaxPool2d(3, 2, padding=1),
    )


def bn_inception(spec: ModelSpec) -> nn.Module:
    """Ten modules behind a separable stem."""
    return BNInception(spec)
