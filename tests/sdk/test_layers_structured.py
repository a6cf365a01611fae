import numpy as np
import pytest
import torch
from scipy.linalg import circulant, hadamard, toeplitz
from torch import nn

from mobisdk.layers import FastfoodLinear, StructuredLinear, ToeplitzLikeLinear
from mobisdk.layers import fastfood_linear as fastfood

LAYERS = (ToeplitzLikeLinear, FastfoodLinear)


def dense_toeplitz_like(layer: ToeplitzLikeLinear) -> np.ndarray:
    """Σ Z₁(g) Z₋₁(h) by SciPy: Z₋₁(h) is the Toeplitz matrix with h down and its negated end across."""
    size = layer.circulant.shape[-1]
    total = np.zeros((size, size))
    columns = (
        kernels.detach().reshape(-1, size).flip(1).numpy() for kernels in (layer.circulant, layer.skew_circulant)
    )
    for g, h in zip(*columns, strict=True):
        total += circulant(g) @ toeplitz(h, np.concatenate([h[:1], -h[:0:-1]]))
    return total[: layer.out_features, : layer.in_features]


def dense_fastfood(layer: FastfoodLinear) -> np.ndarray:
    """S·H·G·Π·H·B by SciPy."""
    size = len(layer.permutation)
    h = hadamard(size) / np.sqrt(size)
    s, g, b = (np.diag(part.detach().numpy()) for part in (layer.scale, layer.gauss, layer.signs))
    total = s @ h @ g @ np.eye(size)[layer.permutation.numpy()] @ h @ b
    return total[: layer.out_features, : layer.in_features]


def dense(layer: StructuredLinear) -> np.ndarray:
    return dense_toeplitz_like(layer) if isinstance(layer, ToeplitzLikeLinear) else dense_fastfood(layer)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(("wide", "narrow"), [(8, 8), (13, 5), (5, 13), (1, 4), (64, 10)])
@pytest.mark.parametrize("training", [True, False])
def test_layer_is_its_matrix(kind: type[StructuredLinear], wide: int, narrow: int, training: bool) -> None:
    torch.manual_seed(0)
    layer = kind(wide, narrow).double().train(training)
    nn.init.normal_(layer.bias)
    vectors = torch.randn(3, wide, dtype=torch.float64)

    products = layer(vectors).detach().numpy()

    np.testing.assert_allclose(products, vectors.numpy() @ dense(layer).T + layer.bias.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(layer.materialize().numpy(), dense(layer), atol=1e-12)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_wide_layer_agrees_with_its_matrix_and_beats_it_in_multiply_adds(kind: type[StructuredLinear]) -> None:
    torch.manual_seed(0)
    layer = kind(4096, 4096).train()
    vectors = torch.randn(2, 4096)

    with torch.no_grad():
        products = layer(vectors).numpy()
    expected = vectors.double().numpy() @ dense(layer.double()).T

    assert np.abs(products - expected).max() / np.abs(expected).max() < 1e-4
    macs = layer.count_fast_macs() if isinstance(layer, ToeplitzLikeLinear) else layer.count_macs()
    assert macs * 8 <= 4096 * 4096
    assert sum(parameter.numel() for parameter in layer.parameters()) <= 10 * 4096


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_those_of_differences(kind: type[StructuredLinear], training: bool) -> None:
    torch.manual_seed(0)
    layer = kind(6, 4).double().train(training)
    vectors = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    names, values = zip(*layer.named_parameters(), strict=True)

    def call(vectors: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (vectors,))

    assert torch.autograd.gradcheck(call, (vectors, *values))


@pytest.mark.parametrize("kind", LAYERS)
def test_outputs_begin_as_large_as_a_dense_layers_after_he(kind: type[StructuredLinear]) -> None:
    torch.manual_seed(0)

    matrix = kind(300, 200).materialize()

    assert matrix.std().item() == pytest.approx((2 / 300) ** 0.5, rel=0.15)


def test_rank_and_size_of_a_toeplitz_like_matrix() -> None:
    """Z₁(g)Z₋₁(h) has displacement rank 1: M − Z₁ M Z₋₁ᵀ… is of that rank, and so is a sum's at most the terms'."""
    torch.manual_seed(0)
    layer = ToeplitzLikeLinear(16, 16, rank=2).double()
    matrix = dense_toeplitz_like(layer)
    shift = np.eye(16, k=-1)
    plus, minus = shift.copy(), shift.copy()
    plus[0, -1], minus[0, -1] = 1, -1

    displacement = plus @ matrix - matrix @ minus

    assert np.linalg.matrix_rank(matrix) == 16
    assert np.linalg.matrix_rank(displacement) == 2
    assert layer.circulant.numel() + layer.skew_circulant.numel() == 2 * 2 * 16


@pytest.mark.parametrize("size", [1, 2, 8, 64, 512, 2048])
def test_walsh_hadamard_is_scipys(size: int) -> None:
    vectors = torch.randn(3, size, dtype=torch.float64)

    factors = [fastfood.hadamard(order).double() for order in fastfood.split_hadamard(size)]
    transformed = fastfood.walsh_hadamard(vectors, factors)

    np.testing.assert_allclose(transformed.numpy(), vectors.numpy() @ hadamard(size).T / size**0.5, atol=1e-12)


def test_no_fourier_transform_is_in_an_exported_graph() -> None:
    exported = torch.export.export(ToeplitzLikeLinear(12, 7).eval(), (torch.randn(1, 12),))

    assert not any("fft" in str(node.target) for node in exported.graph.nodes)
