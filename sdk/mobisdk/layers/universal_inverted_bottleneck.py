"""MobileNetV4's two blocks: the universal inverted bottleneck, and the fused one."""

from torch import Tensor, nn

from mobisdk.layers.conv_norm_act import ConvNormAct


class UniversalInvertedBottleneck(nn.Module):
    """(N,in_channels,H,W) → (N,out_channels,⌈H/stride⌉,⌈W/stride⌉): depthwise filters before and within an expansion.

    Either filter may be left out by a size of 0: with `within` alone this is the inverted residual, with `before` alone
    ConvNeXt's block, with both the paper's extra depthwise one, with neither a feed-forward block. The stride is the
    last filter's that is there.

    Source: Qin et al. 2024 (arXiv:2404.10518), section 3 and figure 4.
    """

    def __init__(
        self, in_channels: int, expanded: int, out_channels: int, before: int, within: int, *, stride: int = 1
    ) -> None:
        super().__init__()
        self.before = (
            ConvNormAct(
                in_channels,
                in_channels,
                before,
                stride=1 if within else stride,
                groups=in_channels,
                activation=None,
            )
            if before
            else nn.Identity()
        )
        self.expand = ConvNormAct(in_channels, expanded, 1)
        self.within = (
            ConvNormAct(expanded, expanded, within, stride=stride, groups=expanded) if within else nn.Identity()
        )
        self.project = ConvNormAct(expanded, out_channels, 1, activation=None)
        self._adds_input = stride == 1 and in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        """Filter, expand, filter, project."""
        projected: Tensor = self.project(self.within(self.expand(self.before(features))))
        return features + projected if self._adds_input else projected


class FusedInvertedBottleneck(nn.Module):
    """(N,in_channels,H,W) → (N,out_channels,⌈H/stride⌉,⌈W/stride⌉): a full convolution expands, 1×1 projects.

    Source: Qin et al. 2024 (arXiv:2404.10518), appendix D, "FusedIB".
    """

    def __init__(
        self, in_channels: int, expanded: int, out_channels: int, kernel_size: int = 3, *, stride: int = 1
    ) -> None:
        super().__init__()
        self.expand = ConvNormAct(in_channels, expanded, kernel_size, stride=stride)
        self.project = ConvNormAct(expanded, out_channels, 1, activation=None)
        self._adds_input = stride == 1 and in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        """Expand while filtering, project."""
        projected: Tensor = self.project(self.expand(features))
        return features + projected if self._adds_input else projected
