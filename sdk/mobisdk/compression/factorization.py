"""Filters as products of smaller ones: the mathematics, on weights (out, in, rows, columns) alone.

Every function gives the chain's weights in its order, in float64.
"""

import torch
from torch import Tensor

from mobisdk.compression.alternating import fit_cp

_HOOI_ROUNDS = 4
_STARTS, _ROUNDS = 2, 100
"""Of the alternating least squares of a channel's filters, which are small."""


def factor_svd(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """(out, in) ≈ expand (out, rank) · reduce (rank, in): the nearest of that rank; gives reduce, expand.

    Source: Eckart and Young 1936.
    """
    left, values, right = torch.linalg.svd(weight.double(), full_matrices=False)
    root = values[:rank].sqrt()
    return root[:, None] * right[:rank], left[:, :rank] * root


def factor_scheme_1(weight: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """For every input channel `count` separable filters, of which every output filter is a sum.

    Alternating least squares over all channels at once; gives vertical (in · count, 1, rows, 1), horizontal
    (in · count, 1, 1, columns) and expand (out, in · count, 1, 1).

    Source: Jaderberg et al. 2014 (arXiv:1405.3866), section 2.1, scheme 1.
    """
    outs, _, rows, columns = weight.shape
    mixing, vertical, horizontal = fit_cp(weight.transpose(0, 1), count, starts=_STARTS, rounds=_ROUNDS)
    return (
        vertical.mT.reshape(-1, 1, rows, 1),
        horizontal.mT.reshape(-1, 1, 1, columns),
        mixing.permute(1, 0, 2).reshape(outs, -1, 1, 1),
    )


def factor_scheme_2(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Vertical filters (rank, in, rows, 1), then horizontal ones (out, rank, 1, columns): the nearest such pair.

    Source: Jaderberg et al. 2014 (arXiv:1405.3866), section 2.1, scheme 2; the optimum is Tai et al. 2015
    (arXiv:1511.06067), theorem 1.
    """
    outs, ins, rows, columns = weight.shape
    vertical, horizontal = factor_svd(matrix_scheme_2(weight), rank)
    return (
        vertical.reshape(rank, ins, rows, 1),
        horizontal.reshape(outs, columns, rank).permute(0, 2, 1)[:, :, None],
    )


def matrix_scheme_2(weight: Tensor) -> Tensor:
    """(out · columns, in · rows): its rank is the number of channels that scheme 2 needs."""
    outs, ins, rows, columns = weight.shape
    return weight.permute(0, 3, 1, 2).reshape(outs * columns, ins * rows)


def factor_tucker_2(weight: Tensor, rank_in: int, rank_out: int) -> tuple[Tensor, Tensor, Tensor]:
    """Reduce (rank_in, in, 1, 1), core (rank_out, rank_in, rows, columns) and expand (out, rank_out, 1, 1).

    Higher-order orthogonal iteration over both channel modes.

    Source: Kim et al. 2015 (arXiv:1511.06530); De Lathauwer et al. 2000, "On the best rank-(R1, …, RN) approximation".
    """
    kernel = weight.double()
    inward = leading_subspace(kernel.transpose(0, 1).flatten(1), rank_in)
    for _ in range(_HOOI_ROUNDS):
        outward = leading_subspace(torch.einsum("oiyx,ir->oryx", kernel, inward).flatten(1), rank_out)
        inward = leading_subspace(torch.einsum("oiyx,or->iryx", kernel, outward).flatten(1), rank_in)
    core = torch.einsum("oiyx,or,is->rsyx", kernel, outward, inward)
    return inward.T[:, :, None, None], core, outward[:, :, None, None]


def leading_subspace(matrix: Tensor, rank: int) -> Tensor:
    """(rows, rank): orthonormal, the directions in which (rows, columns) is largest; quick for many columns."""
    _, vectors = torch.linalg.eigh(matrix @ matrix.T)
    leading: Tensor = vectors.flip(1)[:, :rank]
    return leading


def squared_singular_values(matrix: Tensor) -> Tensor:
    """Largest first."""
    matrix = matrix.double()
    small = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    values: Tensor = torch.linalg.eigvalsh(small)
    return values.flip(0).clamp(min=0)
