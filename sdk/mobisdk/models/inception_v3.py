"""Inception v3.

Source: Szegedy et al. 2015, "Rethinking the Inception Architecture for Computer Vision" (arXiv:1512.00567), table 1
and figures 5 to 7, 10; channels within the modules as in the authors' own code.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from mobisdk.layers import AveragePool3x3, ConvNormAct, Parallel
from mobisdk.layers.conv_norm_act import Kernel
from mobisdk.models.initialization import initialize_
from mobisdk.models.resolution import check_resolution
from mobisdk.models.width import tabulate_widths
from mobisdk.specs import ModelSpec

_EPSILON = 1e-3
_DROPOUT = 0.5
_SMALLEST = {1: 39, 2: 75}
"""Least resolution by the stem's stride: below it the last reduction has less than its filter to stand on."""
_CHANNELS = {32, 48, 64, 80, 96, 128, 160, 192, 320, 384, 448, 768}
_AUXILIARY_MAP = 5

_Conv = Callable[..., ConvNormAct]


class InceptionV3(nn.Module):
    """Normalized (N,3,H,W) float32 in, (N,num_classes) logits out; made for 299×299.

    In training, `forward_with_auxiliary` also gives the auxiliary head's logits.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        check_resolution(spec, _SMALLEST)
        width = tabulate_widths(_CHANNELS, spec)

        def conv(
            in_channels: int, out: int, kernel: Kernel, *, stride: int = 1, padding: int | None = None
        ) -> ConvNormAct:
            return ConvNormAct(in_channels, width[out], kernel, stride=stride, padding=padding, epsilon=_EPSILON)

        self.stem = nn.Sequential(
            conv(3, 32, 3, stride=spec.stem_stride, padding=0),  # 299x299 in
            conv(width[32], 32, 3, padding=0),
            conv(width[32], 64, 3),
            nn.MaxPool2d(3, 2),  # 147x147 in
            conv(width[64], 80, 1, padding=0),
            conv(width[80], 192, 3, padding=0),  # 73x73 in
            nn.MaxPool2d(3, 2),
        )
        modules: list[nn.Module] = []  # 35x35 in
        channels = width[192]
        for pooled in (32, 64, 64):
            modules.append(_build_35(channels, pooled, conv, width))
            channels = 2 * width[64] + width[96] + width[pooled]
        modules.append(_reduce_to_17(channels, conv, width))
        channels += width[384] + width[96]
        for narrow in (128, 160, 160, 192):
            modules.append(_build_17(channels, narrow, conv, width))  # 17x17 in
            channels = 4 * width[192]
        self.blocks = nn.Sequential(*modules)
        self.auxiliary = nn.Sequential(conv(channels, 128, 1), conv(width[128], 768, _AUXILIARY_MAP, padding=0))
        self.auxiliary_classifier = nn.Linear(width[768], spec.num_classes)
        late: list[nn.Module] = [_reduce_to_8(channels, conv, width)]
        channels += width[320] + width[192]
        for _ in range(2):
            late.append(_build_8(channels, conv, width))  # 8x8 in
            channels = width[320] + 4 * width[384] + width[192]
        self.late_blocks = nn.Sequential(*late)
        self.dropout = nn.Dropout(_DROPOUT)
        self.classifier = nn.Linear(channels, spec.num_classes)
        initialize_(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of normalized images."""
        return self._classify(self.blocks(self.stem(images)))

    def forward_with_auxiliary(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and those of the auxiliary head on the last 17×17 map."""
        features = self.blocks(self.stem(images))
        if min(features.shape[2:]) >= 17:
            shrunk = F.avg_pool2d(features, 5, 3)
        else:  # the paper's windows do not fit a smaller map: as many, spread over what is there
            shrunk = F.adaptive_avg_pool2d(features, _AUXILIARY_MAP)
        pooled = self.auxiliary(shrunk).mean(dim=(2, 3))
        return self._classify(features), self.auxiliary_classifier(pooled)

    def _classify(self, features: Tensor) -> Tensor:
        pooled = self.late_blocks(features).mean(dim=(2, 3), keepdim=True).flatten(1)
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits


def _build_35(channels: int, pooled: int, conv: _Conv, width: dict[int, int]) -> nn.Module:
    """Figure 5: 5×5 filters as two of 3×3, and one that stayed."""
    return Parallel(
        conv(channels, 64, 1),
        nn.Sequential(conv(channels, 48, 1), conv(width[48], 64, 5)),
        nn.Sequential(conv(channels, 64, 1), conv(width[64], 96, 3), conv(width[96], 96, 3)),
        nn.Sequential(AveragePool3x3(), conv(channels, pooled, 1)),
    )


def _reduce_to_17(channels: int, conv: _Conv, width: dict[int, int]) -> nn.Module:
    """Figure 10: strided filters beside max pooling."""
    return Parallel(
        conv(channels, 384, 3, stride=2, padding=0),
        nn.Sequential(conv(channels, 64, 1), conv(width[64], 96, 3), conv(width[96], 96, 3, stride=2, padding=0)),
        nn.MaxPool2d(3, 2),
    )


def _build_17(channels: int, narrow: int, conv: _Conv, width: dict[int, int]) -> nn.Module:
    """Figure 6: 7×7 filters as 1×7 and 7×1."""
    inner = width[narrow]
    return Parallel(
        conv(channels, 192, 1),
        nn.Sequential(conv(channels, narrow, 1), conv(inner, narrow, (1, 7)), conv(inner, 192, (7, 1))),
        nn.Sequential(
            conv(channels, narrow, 1),
            conv(inner, narrow, (7, 1)),
            conv(inner, narrow, (1, 7)),
            conv(inner, narrow, (7, 1)),
            conv(inner, 192, (1, 7)),
        ),
        nn.Sequential(AveragePool3x3(), conv(channels, 192, 1)),
    )


def _reduce_to_8(channels: int, conv: _Conv, width: dict[int, int]) -> nn.Module:
    return Parallel(
        nn.Sequential(conv(channels, 192, 1), conv(width[192], 320, 3, stride=2, padding=0)),
        nn.Sequential(
            conv(channels, 192, 1),
            conv(width[192], 192, (1, 7)),
            conv(width[192], 192, (7, 1)),
            conv(width[192], 192, 3, stride=2, padding=0),
        ),
        nn.MaxPool2d(3, 2),
    )


def _build_8(channels: int, conv: _Conv, width: dict[int, int]) -> nn.Module:
    """Figure 7: 3×3 filters as 1×3 and 3×1 side by side."""

    def spread(in_channels: int) -> nn.Module:
        return Parallel(conv(in_channels, 384, (1, 3)), conv(in_channels, 384, (3, 1)))

    return Parallel(
        conv(channels, 320, 1),
        nn.Sequential(conv(channels, 384, 1), spread(width[384])),
        nn.Sequential(conv(channels, 448, 1), conv(width[448], 384, 3), spread(width[384])),
        nn.Sequential(AveragePool3x3(), conv(channels, 192, 1)),
    )


def inception_v3(spec: ModelSpec) -> nn.Module:
    """The network that the MobileNet paper compares itself with on fine-grained images."""
    network: nn.Module = InceptionV3(spec)
    return network
