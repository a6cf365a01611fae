"""Xception.

Source: Chollet 2016, "Xception: Deep Learning with Depthwise Separable Convolutions" (arXiv:1610.02357), figure 5.
"""

import itertools

from torch import Tensor, nn

from mobisdk.layers import ConvNormAct
from mobisdk.models.initialization import initialize_
from mobisdk.models.width import tabulate_widths
from mobisdk.specs import ModelSpec

_STEM = (32, 64)
_MIDDLE = 728
_MIDDLE_BLOCKS = 8
_LAST = (1536, 2048)


class _Separable(nn.Sequential):
    """Depthwise 3×3, pointwise 1×1 and one norm behind both: nothing lies between them, unlike in MobileNet."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )


class _Block(nn.Module):
    """Separable convolutions, ReLU before each, beside a shortcut; a stride of 2 by max pooling."""

    def __init__(self, widths: tuple[int, ...], *, stride: int = 1, starts_with_act: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index, (in_channels, out_channels) in enumerate(itertools.pairwise(widths)):
            if index or starts_with_act:
                # The first one's input is the shortcut's too: it must stay as it is.
                layers.append(nn.ReLU(inplace=index > 0))
            layers.append(_Separable(in_channels, out_channels))
        if stride == 2:
            layers.append(nn.MaxPool2d(3, 2, padding=1))
        self.body = nn.Sequential(*layers)
        self.shortcut: nn.Module = nn.Identity()
        if stride == 2 or widths[0] != widths[-1]:
            self.shortcut = ConvNormAct(widths[0], widths[-1], 1, stride=stride, activation=None)

    def forward(self, features: Tensor) -> Tensor:
        added: Tensor = self.shortcut(features) + self.body(features)
        return added


class Xception(nn.Module):
    """Normalized (N,3,H,W) float32 of any H and W in, (N,num_classes) logits out; made for 299×299."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        widths = tabulate_widths({*_STEM, 128, 256, _MIDDLE, 1024, *_LAST}, spec)
        first, second = (widths[channels] for channels in _STEM)
        middle = widths[_MIDDLE]
        self.stem = nn.Sequential(
            ConvNormAct(3, first, 3, stride=spec.stem_stride, padding=0),
            ConvNormAct(first, second, 3, padding=0),
        )
        self.blocks = nn.Sequential(
            _Block((second, widths[128], widths[128]), stride=2, starts_with_act=False),  # 147x147 in
            _Block((widths[128], widths[256], widths[256]), stride=2),  # 74x74 in
            _Block((widths[256], middle, middle), stride=2),  # 37x37 in
            *(_Block((middle,) * 4) for _ in range(_MIDDLE_BLOCKS)),  # 19x19 in
            _Block((middle, middle, widths[1024]), stride=2),
        )
        last, features = (widths[channels] for channels in _LAST)
        self.last = nn.Sequential(
            _Separable(widths[1024], last),  # 10x10 in
            nn.ReLU(inplace=True),
            _Separable(last, features),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Linear(features, spec.num_classes)
        initialize_(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of normalized images."""
        features = self.last(self.blocks(self.stem(images)))  # (N,2048,H/32,W/32)
        pooled = features.mean(dim=(2, 3), keepdim=True).flatten(1)
        logits: Tensor = self.classifier(pooled)
        return logits


def xception(spec: ModelSpec) -> nn.Module:
    """Separable convolutions in place of Inception's modules."""
    return Xception(spec)
