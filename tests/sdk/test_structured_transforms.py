import numpy as np
import pytest
import torch
from scipy.linalg import circulant, hadamard, toeplitz
from torch import nn

from mobisdk.compression import compress_, restructure_
from mobisdk.compression.structured_projection import project_fastfood, project_toeplitz_like_, refine_
from mobisdk.compression.structured_transforms import StructuredTransformsConfig
from mobisdk.cost import count_cost
from mobisdk.errors import ConfigError
from mobisdk.layers import PointwiseStructured, ToeplitzLikeLinear


@pytest.mark.parametrize(
    ("kind", "rank"), [("circulant", 1), ("toeplitz", 2), ("product", 4)], ids=["circulant", "toeplitz", "product"]
)
def test_matrix_when_its_displacement_rank_is_the_layers_then_the_projection_is_exact(kind: str, rank: int) -> None:
    random = np.random.default_rng(0)
    first, second = (toeplitz(random.standard_normal(12), random.standard_normal(12)) for _ in range(2))
    matrix = {"circulant": circulant(random.standard_normal(12)), "toeplitz": first, "product": first @ second}[kind]
    layer = ToeplitzLikeLinear(12, 12, rank).double()
    project_toeplitz_like_(layer, torch.from_numpy(matrix))
    np.testing.assert_allclose(layer.materialize().numpy(), matrix, atol=1e-9)


def test_matrix_when_it_is_of_no_structure_then_refining_brings_the_layer_nearer() -> None:
    matrix = torch.randn(20, 32, generator=torch.Generator().manual_seed(0))
    layer = ToeplitzLikeLinear(32, 20, 2)
    project_toeplitz_like_(layer, matrix)
    before = float((layer.materialize() - matrix).square().sum() / matrix.square().sum())
    left = refine_(layer, matrix)
    assert left == pytest.approx(float((layer.materialize() - matrix).square().sum() / matrix.square().sum()), rel=1e-3)
    assert left < min(before, 0.9)


def test_fastfood_when_the_matrix_is_hadamards_then_projection_finds_part_of_it() -> None:
    matrix = torch.from_numpy(hadamard(8) / np.sqrt(8)).float()
    layer = project_fastfood(matrix, seed=0)
    left = float((layer.materialize() - matrix).square().sum() / matrix.square().sum())
    assert left < 0.9
    assert torch.equal(project_fastfood(matrix, seed=0).materialize(), layer.materialize())


@pytest.mark.parametrize("stride", [1, 2])
def test_pointwise_layer_when_materialized_then_is_that_convolution(stride: int) -> None:
    linear = ToeplitzLikeLinear(6, 9, 2).eval()
    nn.init.normal_(linear.bias)
    convolution = nn.Conv2d(6, 9, 1, stride)
    convolution.weight.data.copy_(linear.materialize()[:, :, None, None])
    convolution.bias.data.copy_(linear.bias)  # type: ignore[union-attr]
    features = torch.randn(2, 6, 5, 7)
    torch.testing.assert_close(PointwiseStructured(linear, (stride, stride))(features), convolution(features))


@pytest.mark.parametrize("kind", ["toeplitz_like", "fastfood"])
def test_network_when_transformed_then_dense_and_pointwise_layers_are_few_numbers(kind: str) -> None:
    def build() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 32, 3),
            nn.Conv2d(32, 64, 1, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(576, 100),
            nn.Linear(100, 3),
        )

    images = torch.randn(2, 3, 8, 8)
    model = build()
    result = compress_(model, StructuredTransformsConfig(kind=kind, rank=2), images=images)  # type: ignore[arg-type]

    assert [change.name for change in result.changed] == ["1", "4"]
    assert {skipped.name: skipped.reason.split(" would")[0] for skipped in result.skipped} == {
        "0": "its filters are larger than 1×1",
        "5": kind,
    }
    numbers = {"toeplitz_like": (4 * 64, 4 * 576), "fastfood": (3 * 64, 3 * 1024)}[kind]
    assert [change.params_after for change in result.changed] == [numbers[0] + 64, numbers[1] + 100]
    assert count_cost(model, (1, 3, 8, 8)).params == result.params_after
    again = build()
    restructure_(again, [result.record])
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval()(images), model.eval()(images))


@pytest.mark.parametrize("settings", [{"kind": "fourier"}, {"rank": 0}, {"rank": 65}])
def test_config_when_it_is_wrong_then_refused(settings: dict) -> None:
    with pytest.raises(ConfigError):
        StructuredTransformsConfig(**settings)
