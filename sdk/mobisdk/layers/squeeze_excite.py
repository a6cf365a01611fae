"""Squeeze and excite: channels weighted by what the whole map shows."""

import torch.nn.functional as F
from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """(N,channels,H,W) → the same shape, each channel times a factor in [0,1].

    Source: Hu et al. 2017 (arXiv:1709.01507), figure 2; hard sigmoid as in MobileNetV3 (arXiv:1905.02244), section 5.3.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.act = nn.ReLU(inplace=True)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Average the map, and weigh the channels by what two 1×1 convolutions make of it."""
        squeezed = features.mean(dim=(2, 3), keepdim=True)
        # nn.Hardsigmoid, in what XNNPACK takes: of its whole numbers ExecuTorch makes copies in every run.
        factors = F.relu6(self.expand(self.act(self.reduce(squeezed))) + 3.0) / 6.0
        return features * factors
