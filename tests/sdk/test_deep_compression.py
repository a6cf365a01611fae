import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mobisdk.compression import compress_, restructure_
from mobisdk.compression.clustering import cluster_values
from mobisdk.compression.deep_compression import DeepCompressionConfig, spread_linearly
from mobisdk.compression.magnitude_pruning import MagnitudePruningConfig
from mobisdk.errors import ConfigError

IMAGES = torch.zeros(2, 3, 8, 8)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 40, 5), nn.ReLU(), nn.Flatten(), nn.Linear(640, 30), nn.Linear(30, 2))


def shared(layer: nn.Module) -> tuple[Tensor, Tensor]:
    step = layer.parametrizations.weight  # type: ignore[union-attr]
    return step.original.detach(), step[0].codes  # type: ignore[union-attr, index, return-value]


def test_weights_when_shared_then_those_that_were_pruned_stay_zero() -> None:
    model = network()
    compress_(model, MagnitudePruningConfig(sparsity=0.8), images=IMAGES)
    before = model[3].weight.detach().clone()  # type: ignore[index]
    result = compress_(model, DeepCompressionConfig(dense_bits=4), images=IMAGES)

    after = model[3].weight.detach()  # type: ignore[index]
    assert ((after == 0) == (before == 0)).all()
    assert len(after.unique()) == 16  # 15 values and zero
    # Lloyd's: each value is the mean of its weights, and no other is nearer.
    centroids, codes = shared(model[3])  # type: ignore[index]
    for place, centroid in enumerate(centroids):
        members = before[codes == place + 1]
        torch.testing.assert_close(members.mean(), centroid, atol=1e-6, rtol=1e-5)
        assert ((members[:, None] - centroids).abs().argmin(1) == place).all()
    assert [change.name for change in result.changed] == ["3"]
    assert {skipped.name: skipped.reason for skipped in result.skipped} == {
        "0": "600 weights are too few to share 255 values",
        "4": "12 weights are too few to share 15 values",
    }
    assert result.changed[0].bits_per_weight < 2.5


def test_centroids_when_trained_then_a_gradient_is_the_sum_of_its_weights_and_zeros_stay() -> None:
    model = network()
    compress_(model, DeepCompressionConfig(dense_bits=2, sparsity=0.5, layers=("3",)), images=IMAGES)
    layer = model[3]  # type: ignore[index]
    upstream = torch.randn(30, 640)
    (layer.weight * upstream).sum().backward()
    _, codes = shared(layer)
    for place in range(3):
        expected = upstream[codes == place + 1].sum()
        torch.testing.assert_close(layer.parametrizations.weight.original.grad[place], expected)
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert ((layer.weight == 0) == (codes == 0)).all()


def test_structure_when_built_again_after_pruning_then_takes_the_weights() -> None:
    model = network()
    records = [
        compress_(model, config, images=IMAGES).record
        for config in (MagnitudePruningConfig(sparsity=0.5), DeepCompressionConfig(dense_bits=3))
    ]
    again = network()
    restructure_(again, records)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(IMAGES), model(IMAGES))


@pytest.mark.parametrize("method", ["deep_compression", "hash", "low_bits", "product_quantization"])
def test_technique_when_it_would_undo_another_then_refused(method: str) -> None:
    from mobisdk.compression import find_technique

    model = network()
    compress_(model, find_technique(method).config(), images=torch.rand(2, 3, 8, 8))
    with pytest.raises(ConfigError, match=f"would undo what {method} did"):
        compress_(model, DeepCompressionConfig(), images=IMAGES)


@pytest.mark.parametrize("settings", [{"dense_bits": 9}, {"convolution_bits": 0}, {"sparsity": 1}, {"sparsity": -0.1}])
def test_config_when_it_is_wrong_then_refused(settings: dict) -> None:
    with pytest.raises(ConfigError):
        DeepCompressionConfig(**settings)


def test_centroids_when_spread_then_in_equal_steps_without_the_gap() -> None:
    values = np.array([-3.0, -1.0, 1.0, 5.0])
    # Six long without the gap from -1 to 1: steps of one.
    assert spread_linearly(values, 7).tolist() == [-3, -2, -1, 2, 3, 4, 5]
    assert spread_linearly(values[2:], 3).tolist() == [1, 3, 5]


def test_values_when_clustered_from_there_then_large_ones_have_their_own() -> None:
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(0, 0.01, 5000), [1.0, -1.0]]).astype(np.float32)
    table, places = cluster_values(values, 15, spread_linearly(values, 15))
    np.testing.assert_allclose(table[places[-2:]], [1, -1])
