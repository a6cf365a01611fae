"""Convolution, batch norm, ReLU: the unit that every network here is made of."""

from torch import Tensor, nn


class ConvNormAct(nn.Module):
    """(N,in_channels,H,W) → (N,out_channels,⌈H/stride⌉,⌈W/stride⌉), for an odd `kernel_size`.

    Without a bias, since batch norm has one. Conversion folds the norm into the convolution.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(out_channels)
        self.act = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """Convolve, normalize, rectify."""
        normalized: Tensor = self.act(self.norm(self.conv(features)))
        return normalized
