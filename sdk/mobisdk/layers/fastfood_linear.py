"""Adaptive fastfood: a dense layer of three diagonals between Hadamard matrices."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobisdk.layers.structured_linear import StructuredLinear

_MOST_BITS = 5


class FastfoodLinear(StructuredLinear):
    """(N,in_features) → (N,out_features) by S·H·G·Π·H·B, with 3·n numbers for n² entries, in n log n.

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
        self._orders = split_hadamard(self._size)
        for order in set(self._orders):
            self.register_buffer(f"hadamard_{order}", hadamard(order), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Multiply with the six, the last first."""
        factors = [self.get_buffer(f"hadamard_{order}") for order in self._orders]
        filled = self.fill(features, self._size)  # (N,n)
        mixed = walsh_hadamard(filled * self.signs, factors)
        mixed = walsh_hadamard(mixed.index_select(1, self.permutation) * self.gauss, factors)
        return self.cut(mixed * self.scale) + self.bias

    def count_macs(self) -> int:
        """Two transforms and three diagonals."""
        return 2 * self._size * sum(self._orders) + 3 * self._size


def split_hadamard(size: int) -> tuple[int, ...]:
    """Orders, of at most 32, of Hadamard matrices whose Kronecker product is the one of `size`, a power of two."""
    bits = size.bit_length() - 1
    count = max(1, math.ceil(bits / _MOST_BITS))
    return tuple(1 << (bits + place) // count for place in range(count))


def hadamard(order: int) -> Tensor:
    """Sylvester's matrix of 1 and -1; `order` is a power of two."""
    matrix = torch.ones(1, 1)
    while len(matrix) < order:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    return matrix


def walsh_hadamard(vectors: Tensor, factors: Sequence[Tensor]) -> Tensor:
    """Multiply (N,n) with the orthonormal Hadamard matrix that is the Kronecker product of `factors`, in n log n.

    Each factor turns one digit of an entry's place, as a dense layer of at most 32 wide, which every phone has.
    Butterflies of additions would be five operations for every bit of n, each of which reads and writes all of it.
    """
    count, size = vectors.shape
    for factor in factors:
        # The first digit goes to the end; after a round of all of them every digit is in its place again.
        digits = vectors.reshape(count, len(factor), size // len(factor)).transpose(1, 2)  # (N,n/order,order)
        vectors = F.linear(digits, factor).reshape(count, size)
    return vectors / math.sqrt(size)
