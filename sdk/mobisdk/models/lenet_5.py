"""LeNet-5: the network in which prior work exchanged the dense layers.

Source: LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition", in the form that Yang et al. 2014
(arXiv:1412.7149), section 6.1, start from: 20 and 50 filters of 5×5, max pooling, a dense layer, the classifier.
"""

from collections.abc import Callable

from torch import Tensor, nn

from mobisdk.models.initialization import initialize_
from mobisdk.models.width import scale_widths
from mobisdk.specs import ModelSpec

_FIRST, _LATER, _HIDDEN = 20, 50, 500
_LARGEST_MAP = 7
"""Another stage of filters and pooling is added until the dense layer sees no larger one: one a doubling of ρ."""


class LeNet5(nn.Module):
    """Normalized (N,3,ρ,ρ) float32 in, (N,num_classes) logits out. There is no batch norm; `build_hidden` makes the
    dense layer from its widths."""

    def __init__(self, spec: ModelSpec, build_hidden: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        first, later, hidden = scale_widths([_FIRST, _LATER, _HIDDEN], spec)
        stages = [_stage(3, first, spec.stem_stride)]
        size = ((spec.resolution - 5) // spec.stem_stride + 1) // 2
        channels = first
        while len(stages) < 2 or size > _LARGEST_MAP:
            stages.append(_stage(channels, later, stride=1))
            channels = later
            size = (size - 4) // 2
        self.stem, self.blocks = stages[0], nn.Sequential(*stages[1:])
        self.hidden = build_hidden(channels * size * size, hidden)
        self.act = nn.ReLU(inplace=True)
        self.classifier = nn.Linear(hidden, spec.num_classes)
        initialize_(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of normalized images."""
        features = self.blocks(self.stem(images)).flatten(1)
        logits: Tensor = self.classifier(self.act(self.hidden(features)))
        return logits


def _stage(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 5, stride), nn.ReLU(inplace=True), nn.MaxPool2d(2))


def lenet_5(spec: ModelSpec) -> nn.Module:
    """A dense hidden layer."""
    return LeNet5(spec, nn.Linear)
