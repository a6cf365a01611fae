"""Adaptive fastfood: a dense layer of three diagonals between Hadamard matrices."""

import math

import torch
from torch import Tensor, nn

from mobisdk.layers.structured_linear import StructuredLinear


class FastfoodLinear(StructuredLinear):
    """(N,in_features) → (N,out_features) by S·H·G·Π·H·B, with 3·n numbers for n² entries, and n log n additions.

    S, G and B are diagonals that are learned, Π is a permutation that is drawn, H the orthonormal Hadamard matrix.
    n is the least power of two that holds both widths: shorter inputs are filled with zeros, longer outputs cut.

    Source: Yang et al. 2014 (arXiv:1412.7149), section 3, equation 5; drawn as in Le et al. 2013, "Fastfood".
    """

    permutation: Tensor

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self._size = 1 << (max(in_features, out_features) - 1).bit_length()
        # B and H keep the length of a vector, G does on average: an output is as large as a dense layer's after He.
        self.scale = nn.Parameter(torch.full((self._size,), math.sqrt(2 * self._size / in_features)))  # S
        self.gauss = nn.Parameter(torch.empty(self._size).normal_())  # G
        self.signs = nn.Parameter(torch.empty(self._size).bernoulli_() * 2.0 - 1.0)  # B
        self.register_buffer("permutation", torch.randperm(self._size))  # Π

    def forward(self, features: Tensor) -> Tensor:
        """Multiply with the six, the last first."""
        filled = self.fill(features, self._size)  # (N,n)
        mixed = walsh_hadamard(filled * self.signs)
        mixed = walsh_hadamard(mixed.index_select(1, self.permutation) * self.gauss)
        return self.cut(mixed * self.scale) + self.bias

    def count_macs(self) -> int:
        """Two transforms and three diagonals."""
        return 2 * self._size * int(math.log2(self._size)) + 3 * self._size


def walsh_hadamard(vectors: Tensor) -> Tensor:
    """Multiply (N,n), n a power of two, with the orthonormal Hadamard matrix of Sylvester, by n log n additions."""
    count, size = vectors.shape
    half = size // 2
    while half:
        pairs = vectors.reshape(count, -1, 2, half)
        low, high = pairs[:, :, :1], pairs[:, :, 1:]
        vectors = torch.cat([low + high, low - high], 2)
        half //= 2
    return vectors.reshape(count, size) / math.sqrt(size)
