"""The structured matrix that is near to a dense one: where a structured layer begins to learn."""

import torch
from torch import Tensor

from mobisdk.layers import FastfoodLinear, StructuredLinear, ToeplitzLikeLinear

_STEPS = 20
_MOST_PROBES = 96
_TRIES = 3
_SMALL = 256
"""Up to this width several draws are tried."""


@torch.no_grad()
def project_toeplitz_like_(layer: ToeplitzLikeLinear, matrix: Tensor) -> None:
    """Give `layer` the Toeplitz-like matrix that follows from the largest part of (out, in) `matrix`'s displacement.

    M = ½ Σⱼ Z₁(gⱼ) Z₋₁(J hⱼ) where Z₁ M − M Z₋₁ = Σⱼ gⱼ hⱼᵀ: exact where the displacement has no more than the layer's
    rank, as a Toeplitz matrix's has with two. J turns a vector round. A matrix that is not square is filled with zeros.

    Source: Sindhwani et al. 2015 (arXiv:1510.01722), theorem 3.1; the displacement: Kailath and Sayed 1995.
    """
    size = layer.circulant.shape[-1]
    square = torch.zeros(size, size, dtype=torch.float64)
    square[: matrix.shape[0], : matrix.shape[1]] = matrix
    shifted = torch.cat([square[:, 1:], -square[:, :1]], 1)  # M Z₋₁: columns to the left, the first behind and negated
    left, values, right = torch.linalg.svd(square.roll(1, 0) - shifted)
    half = (values[: layer.rank] / 2).sqrt()
    g = left[:, : layer.rank].T * half[:, None]
    h = (right[: layer.rank] * half[:, None]).flip(1)
    # The layer keeps columns from below.
    layer.circulant.copy_(g.flip(1).view_as(layer.circulant))
    layer.skew_circulant.copy_(h.flip(1).view_as(layer.skew_circulant))


def refine_(layer: StructuredLinear, matrix: Tensor) -> float:
    """Move the layer's matrix nearer to (out, in) `matrix` in the least squares; return the share that is left.

    L-BFGS from where it is: 0 is exact, 1 is no better than nothing. A wide matrix is measured by its products with
    random signs, whose squares are its own on average.
    """
    learned = [parameter for parameter in layer.parameters() if parameter is not layer.bias]
    if layer.in_features <= _MOST_PROBES:
        probes = torch.eye(layer.in_features)
    else:
        generator = torch.Generator().manual_seed(0)
        probes = torch.randint(2, (_MOST_PROBES, layer.in_features), generator=generator) * 2.0 - 1
    wanted = probes @ matrix.T
    optimizer = torch.optim.LBFGS(learned, max_iter=_STEPS, line_search_fn="strong_wolfe")
    scale = float(wanted.square().sum()) or 1.0

    def measure() -> Tensor:
        difference: Tensor = layer(probes) - layer.bias - wanted
        return difference.square().sum() / scale

    def step() -> Tensor:
        optimizer.zero_grad()
        error = measure()
        torch.autograd.backward(error)
        return error

    layer.train()  # Fourier transforms: quicker here
    with torch.enable_grad():
        optimizer.step(step)  # type: ignore[no-untyped-call]
    layer.zero_grad(set_to_none=True)
    with torch.no_grad():
        return float(measure())


def project_fastfood(matrix: Tensor, seed: int) -> FastfoodLinear:
    """The best of a few draws, each brought near to (out, in) `matrix`: the product has many local minima."""
    best, least = None, float("inf")
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)
        for _ in range(_TRIES if max(matrix.shape) <= _SMALL else 1):
            layer = FastfoodLinear(matrix.shape[1], matrix.shape[0])
            error = refine_(layer, matrix)
            if best is None or error < least:
                best, least = layer, error
    assert best is not None  # noqa: S101
    return best
