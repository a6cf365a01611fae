"""Toeplitz-like matrices: low displacement rank."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobisdk.layers.structured_linear import StructuredLinear


class ToeplitzLikeLinear(StructuredLinear):
    """(N,in_features) → (N,out_features) by M = Σⱼ Z₁(gⱼ) Z₋₁(hⱼ), j = 1 … rank, with 2·rank·n numbers for n² entries.

    Z₁(g) is circulant and Z₋₁(h) skew-circulant: their first columns are g and h, and what leaves a column below comes
    in again above, negated in the second. n is the larger of both widths: shorter inputs are filled with zeros, longer
    outputs cut. In training the products are Fourier transforms, n log n. In evaluation they are two convolutions,
    rank·n² each, which every phone has: the file stays small, the time is a dense layer's or more.

    Source: Sindhwani et al. 2015 (arXiv:1510.01722), section 3, theorem 3.1 and equation 11.
    """

    def __init__(self, in_features: int, out_features: int, rank: int = 4) -> None:
        super().__init__(in_features, out_features)
        self.rank = rank
        self._size = max(in_features, out_features)
        # An entry of M is a sum of rank · n products: so drawn, M's are as large as a dense layer's after He.
        deviation = (2 / (rank * self._size * in_features)) ** 0.25
        # Columns from below, as a convolution's kernels: no phone has to turn them.
        self.circulant = nn.Parameter(torch.empty(1, rank, 1, self._size).normal_(0.0, deviation))
        self.skew_circulant = nn.Parameter(torch.empty(rank, 1, 1, self._size).normal_(0.0, deviation))

    def forward(self, features: Tensor) -> Tensor:
        """Multiply with M."""
        filled = self.fill(features, self._size)  # (N,n)
        product = self._by_fft(filled) if self.training else self._by_convolution(filled)
        return self.cut(product) + self.bias

    def count_macs(self) -> int:
        """Of the two convolutions."""
        return 2 * self.rank * self._size**2

    def count_fast_macs(self) -> int:
        """Of the products by Fourier transforms, the parameters' own transformed beforehand."""
        length = 2 * self._size
        transforms = 2 + 2 * self.rank
        products = 2 * self.rank * (length // 2 + 1) * 4  # complex ones, four real each
        return math.ceil(transforms * length * math.log2(length)) + products

    def _by_fft(self, features: Tensor) -> Tensor:
        n, length = self._size, 2 * self._size
        h, g = (
            torch.fft.rfft(kernels.flip(-1).reshape(self.rank, n), length)
            for kernels in (self.skew_circulant, self.circulant)
        )
        linear = torch.fft.irfft(torch.fft.rfft(features, length)[:, None] * h, length)  # (N,rank,2n)
        skewed = linear[..., :n] - linear[..., n:]
        summed = torch.fft.irfft((torch.fft.rfft(skewed, length) * g).sum(1), length)  # (N,2n)
        folded: Tensor = summed[:, :n] + summed[:, n:]
        return folded

    def _by_convolution(self, features: Tensor) -> Tensor:
        # A row of Z(v) is v from below, turned: a convolution over the input that stands before itself once more.
        wrapped = torch.cat([-features[:, 1:], features], 1)[:, None, None]  # (N,1,1,2n-1)
        skewed = F.conv2d(wrapped, self.skew_circulant)  # (N,rank,1,n)
        wrapped = torch.cat([skewed[..., 1:], skewed], -1)
        return F.conv2d(wrapped, self.circulant).flatten(1)
