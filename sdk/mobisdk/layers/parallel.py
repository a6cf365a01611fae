"""Branches side by side."""

import torch
from torch import Tensor, nn


class Parallel(nn.Module):
    """(N,C,H,W) through every branch, their channels one after the other: (N,C₁+C₂+…,H′,W′)."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, features: Tensor) -> Tensor:
        """Run every branch on the same map."""
        return torch.cat([branch(features) for branch in self.branches], 1)
