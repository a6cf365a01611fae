"""Dense layers whose matrix follows from few numbers."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class StructuredLinear(nn.Module):
    """(N,in_features) → (N,out_features) as nn.Linear, with far fewer parameters than its matrix has entries."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.bias = nn.Parameter(torch.zeros(out_features))

    def count_macs(self) -> int:
        """Multiply-adds for one vector in evaluation, as a phone makes them; an addition alone counts as one too."""
        raise NotImplementedError

    def fill(self, features: Tensor, size: int) -> Tensor:
        """Zeros behind (N,in_features) up to (N,size); nothing stays in an exported graph where nothing is missing."""
        return F.pad(features, (0, size - self.in_features)) if size > self.in_features else features

    def cut(self, product: Tensor) -> Tensor:
        """The first `out_features` of (N,size)."""
        return product[:, : self.out_features] if product.shape[1] > self.out_features else product

    @torch.no_grad()
    def materialize(self) -> Tensor:
        """The matrix (out_features,in_features) that this layer stands for."""
        identity = torch.eye(self.in_features, dtype=self.bias.dtype, device=self.bias.device)
        rows: Tensor = self(identity) - self.bias
        return rows.T
