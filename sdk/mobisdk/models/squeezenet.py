"""SqueezeNet 1.0 and 1.1.

Source: Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size"
(arXiv:1602.07360), table 1; 1.1 is the authors' own second release.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mobisdk.layers import Parallel
from mobisdk.models.width import tabulate_widths
from mobisdk.specs import ModelSpec

_POOL = "pool"
_DROPOUT = 0.5
# Fire modules by their squeezed channels; each expansion has four times as many, 1×1 and 3×3.
_VERSION_1_0 = (_POOL, 16, 16, 32, _POOL, 32, 48, 48, 64, _POOL, 64)
_VERSION_1_1 = (_POOL, 16, 16, _POOL, 32, 32, _POOL, 48, 48, 64, 64)


class SqueezeNet(nn.Module):
    """Normalized (N,3,H,W) float32 of any H and W in, (N,num_classes) logits out. There is no batch norm.

    The last ReLU makes every logit at least 0, as in the paper.
    """

    def __init__(self, spec: ModelSpec, stem: int, stem_kernel: int, rows: Sequence[int | str]) -> None:
        super().__init__()
        squeezed = [row for row in rows if isinstance(row, int)]
        widths = tabulate_widths({stem, *squeezed, *(4 * channels for channels in squeezed)}, spec)
        self.stem = nn.Sequential(nn.Conv2d(3, widths[stem], stem_kernel, spec.stem_stride), nn.ReLU(inplace=True))
        in_channels = widths[stem]
        blocks: list[nn.Module] = []
        for row in rows:
            if isinstance(row, str):
                blocks.append(nn.MaxPool2d(3, 2, ceil_mode=True))
                continue
            blocks.append(_fire(in_channels, widths[row], widths[4 * row]))
            in_channels = 2 * widths[4 * row]
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(_DROPOUT)
        self.classifier = nn.Conv2d(in_channels, spec.num_classes, 1)
        self.act = nn.ReLU(inplace=True)
        _initialize_(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of normalized images."""
        features = self.dropout(self.blocks(self.stem(images)))  # (N,512,H/16,W/16)
        scores: Tensor = self.act(self.classifier(features))
        return scores.mean(dim=(2, 3), keepdim=True).flatten(1)


@torch.no_grad()
def _initialize_(model: SqueezeNet) -> None:
    """Keep the size of activations from layer to layer, since no norm does, and begin with logits near 1.

    The last ReLU leaves a class without gradient whose logit is below 0 everywhere; all logits may lie 1 higher. The
    classifier's weights are as small as the authors' own: with He's every class was lost within an epoch of digits.

    Source: He et al. 2015 (arXiv:1502.01852), section 2.2, the forward case; the authors' train_val.prototxt for the
    classifier (conv10: gaussian, 0.01).
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.kaiming_normal_(module.weight, mode="fan_in")
            module.bias.zero_()
    model.classifier.weight.normal_(0.0, 0.01)
    nn.init.ones_(model.classifier.bias)  # type: ignore[arg-type]


def _fire(in_channels: int, squeezed: int, expanded: int) -> nn.Sequential:
    """Squeeze to few channels, expand by 1×1 and 3×3 filters side by side."""
    return nn.Sequential(
        nn.Conv2d(in_channels, squeezed, 1),
        nn.ReLU(inplace=True),
        Parallel(nn.Conv2d(squeezed, expanded, 1), nn.Conv2d(squeezed, expanded, 3, padding=1)),
        nn.ReLU(inplace=True),
    )


def squeezenet_1_0(spec: ModelSpec) -> nn.Module:
    """The paper's network: a 7×7 stem, late pooling."""
    return SqueezeNet(spec, 96, 7, _VERSION_1_0)


def squeezenet_1_1(spec: ModelSpec) -> nn.Module:
    """A 3×3 stem and earlier pooling: 2.4 times fewer multiply-adds at the same accuracy."""
    return SqueezeNet(spec, 64, 3, _VERSION_1_1)
