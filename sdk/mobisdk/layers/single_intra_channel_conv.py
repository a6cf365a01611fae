"""Factorized convolution: one filter a channel, then a linear projection, whole or in parts."""

import torch
from torch import Tensor, nn

from mobisdk.errors import ConfigError


class SingleIntraChannelConv2d(nn.Module):
    """(N,in_channels,H,W) → (N,out_channels,H′,W′) as nn.Conv2d of an odd k×k would: one filter a channel, then 1×1.

    Nothing lies between filter and projection. With `subdivision` s > 2 the channels lie on a ring of s parts, and each
    part of the output sees two neighbouring parts of the input: 2/s of the projection's connections.

    Raises:
        ConfigError: `subdivision` does not divide the channels.

    Source: Wang et al. 2016 (arXiv:1608.04337), section 3.2 (single intra-channel convolution) and 3.3 (topological
    subdivisioning, here in one dimension with a neighbourhood of two parts).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        subdivision: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        padding = kernel_size // 2 if padding is None else padding
        self.intra = nn.Conv2d(in_channels, in_channels, kernel_size, stride, padding, groups=in_channels, bias=False)
        self.project = RingProjection(in_channels, out_channels, subdivision, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        """Filter each channel, then mix them."""
        projected: Tensor = self.project(self.intra(features))
        return projected


class SpatialBottleneckConv2d(nn.Module):
    """(N,in_channels,H,W) → (N,out_channels,H,W): one filter a channel down by 2, 1×1, one filter a channel up by 2.

    The projection, where the multiply-adds are, works on a quarter of the map.

    Source: Wang et al. 2016 (arXiv:1608.04337), section 3.4, the convolution-projection-deconvolution pipeline.
    """

    def __init__(self, in_channels: int, out_channels: int, *, subdivision: int = 1) -> None:
        super().__init__()
        self.down = nn.Conv2d(in_channels, in_channels, 3, 2, 1, groups=in_channels, bias=False)
        self.project = RingProjection(in_channels, out_channels, subdivision, bias=False)
        self.up = nn.ConvTranspose2d(out_channels, out_channels, 2, 2, groups=out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Shrink, mix, grow; a row or column too many, where H or W is odd, is cut off."""
        height, width = features.shape[2:]
        grown: Tensor = self.up(self.project(self.down(features)))
        # A slice that cuts nothing would stay in the exported graph.
        return grown if grown.shape[2:] == (height, width) else grown[:, :, :height, :width]


class RingProjection(nn.Module):
    """1×1 convolution of (N,in_channels,H,W) whose `subdivision` parts see two neighbouring ones of the input each.

    Raises:
        ConfigError: `subdivision` does not divide the channels.
    """

    def __init__(self, in_channels: int, out_channels: int, subdivision: int, *, bias: bool) -> None:
        super().__init__()
        if in_channels % subdivision or out_channels % subdivision:
            raise ConfigError(
                "subdivision must divide the channels",
                got=f"{subdivision} for {in_channels} → {out_channels}",
                hint="Use 1, or an alpha or width_divisor that leaves channels it divides",
            )
        self._part = in_channels // subdivision
        self.own = nn.Conv2d(in_channels, out_channels, 1, groups=subdivision, bias=bias)
        # A ring of two is the whole.
        parts_seen = 1 if subdivision == 1 else 2
        self.next = nn.Conv2d(in_channels, out_channels, 1, groups=subdivision, bias=False) if parts_seen == 2 else None

    def forward(self, features: Tensor) -> Tensor:
        """Mix each part with its neighbour."""
        projected: Tensor = self.own(features)
        if self.next is None:
            return projected
        turned = torch.cat([features[:, self._part :], features[:, : self._part]], 1)
        neighbours: Tensor = self.next(turned)
        return projected + neighbours
