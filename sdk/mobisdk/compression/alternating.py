"""Tensors as sums of products of vectors, by alternating least squares with restarts, many tensors at once.

TensorLy's `parafac` contracts rank by rank, which takes fifty times as long at the ranks that filters have; tests
hold this one against it.
"""

import torch
from torch import Tensor

_RIDGE = 1e-10
"""Of the mean square: two products that become alike do not grow without bound."""
_CHECKED_EVERY = 10
_TOLERANCE = 1e-6


def fit_cp(tensors: Tensor, rank: int, *, starts: int, rounds: int) -> list[Tensor]:
    """(batch, d₁, …, dₙ) → factors (batch, dᵢ, rank), each tensor's best of `starts`, of even length.

    Source: Carroll and Chang 1970; Harshman 1970; Kolda and Bader 2009, "Tensor decompositions and applications", 3.4.
    """
    batch, sizes = tensors.shape[0], tensors.shape[1:]
    repeated = tensors.double().repeat(starts, *[1] * len(sizes))
    generator = torch.Generator().manual_seed(0)
    factors = [torch.randn(len(repeated), size, rank, generator=generator).double() for size in sizes]
    squares = repeated.flatten(1).square().sum(1)
    before = torch.full_like(squares, torch.inf)
    for number in range(1, rounds + 1):
        for mode in range(len(sizes)):
            projected = _contract(repeated, factors, mode)
            gram = _gram(factors, mode)
            gram += (_RIDGE * gram.diagonal(dim1=1, dim2=2).mean(1) + 1e-30)[:, None, None] * torch.eye(rank)
            factors[mode] = torch.linalg.solve(gram, projected.mT).mT
        if number % _CHECKED_EVERY == 0 or number == rounds:
            # |T - S|² = |T|² - 2 T·S + |S|², and both products are at hand for the last mode.
            inner = (projected * factors[-1]).flatten(1).sum(1)
            lost = squares - 2 * inner + _gram(factors, None).flatten(1).sum(1)
            if ((before - lost).abs() <= _TOLERANCE * squares).all():
                break
            before = lost
    best = lost.reshape(starts, batch).argmin(0)
    chosen = [factor.reshape(starts, batch, *factor.shape[1:])[best, torch.arange(batch)] for factor in factors]
    norms = torch.stack([factor.norm(dim=1, keepdim=True).clamp(min=1e-30) for factor in chosen])
    even = norms.log().mean(0).exp()  # none is huge, and training starts well
    return [factor * even / norm for factor, norm in zip(chosen, norms, strict=True)]


def _contract(tensors: Tensor, factors: list[Tensor], mode: int) -> Tensor:
    """Every mode but one with its factor, (batch, d_mode, rank); the longest first, since it leaves least."""
    others = [other for other in range(len(factors)) if other != mode]
    longest = max(others, key=lambda other: factors[other].shape[1])
    moved = tensors.movedim(longest + 1, -1)
    partial = (moved.flatten(1, -2) @ factors[longest]).reshape(*moved.shape[:-1], -1)
    left = [other for other in range(len(factors)) if other != longest]
    for other in reversed(left):
        if other != mode:
            place = left.index(other) + 1
            factor = factors[other]
            shape = [factor.shape[0], *[1] * (partial.dim() - 2), factor.shape[2]]
            shape[place] = factor.shape[1]
            partial = (partial * factor.reshape(shape)).sum(place)
            left.remove(other)
    return partial


def _gram(factors: list[Tensor], left_out: int | None) -> Tensor:
    """(batch, rank, rank): the products of the columns' inner products over the modes."""
    grams = [factor.mT @ factor for mode, factor in enumerate(factors) if mode != left_out]
    return torch.stack(grams).prod(0)
