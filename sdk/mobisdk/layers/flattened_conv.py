"""Flattened convolution: a filter as the product of three one-dimensional ones."""

from torch import Tensor, nn


class FlattenedConv2d(nn.Module):
    """(N,in_channels,H,W) → (N,out_channels,H′,W′) as nn.Conv2d of an odd k×k would: lateral, vertical, horizontal.

    in·out + 2·k·out weights where the full filter has k²·in·out. Linear throughout, with the bias at the end: nothing
    lies between the three.

    Source: Jin et al. 2014 (arXiv:1412.5474), section 3.1, equations 2 to 4.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        padding = kernel_size // 2 if padding is None else padding
        self.lateral = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.vertical = nn.Conv2d(
            out_channels,
            out_channels,
            (kernel_size, 1),
            (stride, 1),
            (padding, 0),
            groups=out_channels,
            bias=False,
        )
        self.horizontal = nn.Conv2d(
            out_channels, out_channels, (1, kernel_size), (1, stride), (0, padding), groups=out_channels, bias=bias
        )

    def forward(self, features: Tensor) -> Tensor:
        """Mix the channels, then filter each down its columns and along its rows."""
        filtered: Tensor = self.horizontal(self.vertical(self.lateral(features)))
        return filtered
