"""Inverted residual: wide where it filters, narrow where it connects."""

from torch import Tensor, nn

from mobisdk.layers.conv_norm_act import ConvNormAct
from mobisdk.layers.squeeze_excite import SqueezeExcite


class InvertedResidual(nn.Module):
    """(N,in_channels,H,W) → (N,out_channels,⌈H/stride⌉,⌈W/stride⌉): 1×1 expansion, depthwise filter, linear 1×1.

    Without an expansion where `expanded` is `in_channels`; the input is added where the shapes agree. `squeezed`
    channels weigh the filtered ones (MobileNetV3).

    Source: Sandler et al. 2018 (arXiv:1801.04381), table 1; Howard et al. 2019 (arXiv:1905.02244), figure 4.
    """

    def __init__(
        self,
        in_channels: int,
        expanded: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        stride: int = 1,
        squeezed: int | None = None,
        activation: type[nn.Module] = nn.ReLU6,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__()
        self.expand = (
            nn.Identity()
            if expanded == in_channels
            else ConvNormAct(in_channels, expanded, 1, activation=activation, epsilon=epsilon)
        )
        self.depthwise = ConvNormAct(
            expanded, expanded, kernel_size, stride=stride, groups=expanded, activation=activation, epsilon=epsilon
        )
        self.excite = nn.Identity() if squeezed is None else SqueezeExcite(expanded, squeezed)
        self.project = ConvNormAct(expanded, out_channels, 1, activation=None, epsilon=epsilon)
        self._adds_input = stride == 1 and in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        """Expand, filter, project."""
        projected: Tensor = self.project(self.excite(self.depthwise(self.expand(features))))
        return features + projected if self._adds_input else projected
