"""MobileNetV1, and the two networks that its paper compares it with.

Source: Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications"
(arXiv:1704.04861), tables 1, 4 and 5.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from mobisdk.layers import ConvNormAct, SeparableConv2d
from mobisdk.models.initialization import begin_nearly_linear_, initialize_
from mobisdk.models.width import scale_widths
from mobisdk.specs import ModelSpec

STEM_CHANNELS = 32

# Channels out and stride, at ρ = 224. Table 1 prints stride 2 for the last layer too, and a 7x7 map after it: it is 1.
_EARLY_BLOCKS = (
    (64, 1),  # 112x112 in
    (128, 2),  # 112x112 in
    (128, 1),  # 56x56 in
    (256, 2),  # 56x56 in
    (256, 1),  # 28x28 in
    (512, 2),  # 28x28 in
)
_MIDDLE_BLOCKS = ((512, 1),) * 5  # 14x14 in
_LATE_BLOCKS = (
    (1024, 2),  # 14x14 in
    (1024, 1),  # 7x7 in
)
BLOCKS = _EARLY_BLOCKS + _MIDDLE_BLOCKS + _LATE_BLOCKS


class MobileNetV1(nn.Module):
    """A full convolution, a chain of blocks, the average over the map, one linear layer.

    Takes normalized (N,3,H,W) float32 of any H and W, gives (N,num_classes) logits.
    """

    def __init__(
        self, spec: ModelSpec, blocks: Sequence[tuple[int, int]], build_block: Callable[[int, int, int], nn.Module]
    ) -> None:
        super().__init__()
        widths = scale_widths([STEM_CHANNELS, *(channels for channels, _ in blocks)], spec)
        self.stem = ConvNormAct(3, widths[0], 3, stride=spec.stem_stride)
        self.blocks = nn.Sequential(
            *(
                build_block(in_channels, out_channels, stride)
                for in_channels, out_channels, (_, stride) in zip(widths, widths[1:], blocks, strict=False)
            )
        )
        self.classifier = nn.Linear(widths[-1], spec.num_classes)
        initialize_(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of normalized images."""
        features = self.blocks(self.stem(images))  # (N,C,H/32,W/32) where the stem's stride is 2
        # XNNPACK delegates the mean over H and W only where both stay as dimensions of one.
        pooled = features.mean(dim=(2, 3), keepdim=True).flatten(1)
        logits: Tensor = self.classifier(pooled)
        return logits


def mobilenet_v1(spec: ModelSpec) -> nn.Module:
    """Thirteen depthwise separable blocks."""
    return _build_separable(spec, BLOCKS)


def mobilenet_v1_full_conv(spec: ModelSpec) -> nn.Module:
    """The same widths with full 3×3 convolutions: the paper's measure of what separating them costs (table 4)."""
    return MobileNetV1(spec, BLOCKS, _full)


def mobilenet_v1_shallow(spec: ModelSpec) -> nn.Module:
    """Without the five 14×14×512 layers: the paper's proof that thin beats shallow (table 5)."""
    return _build_separable(spec, _EARLY_BLOCKS + _LATE_BLOCKS)


def _build_separable(spec: ModelSpec, blocks: Sequence[tuple[int, int]]) -> nn.Module:
    model = MobileNetV1(spec, blocks, _separable)
    begin_nearly_linear_(model)
    return model


def _separable(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    return SeparableConv2d(in_channels, out_channels, stride=stride)


def _full(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    return ConvNormAct(in_channels, out_channels, 3, stride=stride)
