"""Average pooling that every backend takes."""

from torch import nn


class AveragePool3x3(nn.Sequential):
    """(N,C,H,W) → (N,C,H,W): means over 3×3, zeros beyond the border counted.

    What nn.AvgPool2d(3, 1, padding=1) gives; XNNPACK takes padding only as an operation of its own.
    """

    def __init__(self) -> None:
        super().__init__(nn.ZeroPad2d(1), nn.AvgPool2d(3, 1, count_include_pad=False))
