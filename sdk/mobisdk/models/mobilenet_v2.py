"""MobileNetV2.

Source: Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (arXiv:1801.04381), table 2.
"""

from torch import Tensor, nn

from mobisdk.layers import ConvNormAct, InvertedResidual
from mobisdk.models.initialization import initialize_
from mobisdk.models.width import nearest_multiple, scale_widths
from mobisdk.specs import ModelSpec

# Expansion, channels out, how often, and the first one's stride, at ρ = 224.
STAGES = (
    (1, 16, 1, 1),  # 112x112 in
    (6, 24, 2, 2),  # 112x112 in
    (6, 32, 3, 2),  # 56x56 in
    (6, 64, 4, 2),  # 28x28 in
    (6, 96, 3, 1),  # 14x14 in
    (6, 160, 3, 2),  # 14x14 in
    (6, 320, 1, 1),  # 7x7 in
)
_STEM_CHANNELS = 32
_LAST_CHANNELS = 1280
_DIVISOR = 8
_DROPOUT = 0.2


class MobileNetV2(nn.Module):
    """Normalized (N,3,H,W) float32 of any H and W in, (N,num_classes) logits out."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        widths = scale_widths([_STEM_CHANNELS, *(channels for _, channels, _, _ in STAGES)], spec, _DIVISOR)
        # Section 5: a multiplier below 1 leaves the last convolution as it is.
        last = nearest_multiple(_LAST_CHANNELS * max(1.0, spec.alpha), max(_DIVISOR, spec.width_divisor))
        self.stem = ConvNormAct(3, widths[0], 3, stride=spec.stem_stride, activation=nn.ReLU6)
        blocks: list[nn.Module] = []
        in_channels = widths[0]
        for (expansion, _, repeats, first_stride), out_channels in zip(STAGES, widths[1:], strict=True):
            for index in range(repeats):
                stride = first_stride if index == 0 else 1
                blocks.append(InvertedResidual(in_channels, expansion * in_channels, out_channels, stride=stride))
                in_channels = out_channels
        self.blocks = nn.Sequential(*blocks)
        self.last = ConvNormAct(in_channels, last, 1, activation=nn.ReLU6)
        self.dropout = nn.Dropout(_DROPOUT)
        self.classifier = nn.Linear(last, spec.num_classes)
        initialize_(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of normalized images."""
        features = self.last(self.blocks(self.stem(images)))  # (N,1280,H/32,W/32)
        pooled = features.mean(dim=(2, 3), keepdim=True).flatten(1)
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits


def mobilenet_v2(spec: ModelSpec) -> nn.Module:
    """Seventeen inverted residuals."""
    return MobileNetV2(spec)
