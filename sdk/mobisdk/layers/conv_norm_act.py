"""Convolution, batch norm, activation: the unit that most networks here are made of."""

from torch import Tensor, nn

Kernel = int | tuple[int, int]


class ConvNormAct(nn.Module):
    """(N,in_channels,H,W) → (N,out_channels,⌈H/stride⌉,⌈W/stride⌉) for an odd `kernel_size` and its own padding.

    Without a bias, since batch norm has one. Conversion folds the norm into the convolution. `activation` None leaves
    the result linear; `padding` 0 keeps to the positions where the whole filter fits.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Kernel,
        *,
        stride: int = 1,
        groups: int = 1,
        padding: Kernel | None = None,
        activation: type[nn.Module] | None = nn.ReLU,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__()
        if padding is None:
            padding = same_padding(kernel_size)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, epsilon)
        self.act = nn.Identity() if activation is None else activation(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """Convolve, normalize, activate."""
        normalized: Tensor = self.act(self.norm(self.conv(features)))
        return normalized


def same_padding(kernel_size: Kernel) -> Kernel:
    """Half the filter on each side, so that a stride of 1 keeps the map's size where the filter is odd."""
    return kernel_size // 2 if isinstance(kernel_size, int) else (kernel_size[0] // 2, kernel_size[1] // 2)
