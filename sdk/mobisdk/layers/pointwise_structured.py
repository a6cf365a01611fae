"""A 1×1 convolution whose matrix is structured."""

from torch import Tensor, nn

from mobisdk.layers.structured_linear import StructuredLinear


class PointwiseStructured(nn.Module):
    """(N,in,H,W) → (N,out,⌈H/stride⌉,⌈W/stride⌉): the same structured matrix at each position."""

    def __init__(self, linear: StructuredLinear, stride: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.linear = linear
        self.stride = stride

    def forward(self, features: Tensor) -> Tensor:
        """Multiply every position's channels."""
        if self.stride != (1, 1):
            features = features[:, :, :: self.stride[0], :: self.stride[1]]
        count, channels, height, width = features.shape
        positions = features.permute(0, 2, 3, 1).reshape(-1, channels)  # (N·H·W,in)
        mixed: Tensor = self.linear(positions)
        return mixed.view(count, height, width, -1).permute(0, 3, 1, 2)
