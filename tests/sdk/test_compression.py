"""The frame: any technique on any module, recorded so that a checkpoint gives the compressed network back."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mobisdk.compression import compress_, list_methods, load_network, restructure_
from mobisdk.compression.magnitude_pruning import MagnitudePruningConfig
from mobisdk.cost import count_cost
from mobisdk.errors import ConfigError, DataError
from mobisdk.layers.parametrized import without_parametrizations
from mobisdk.models.checkpoint import Checkpoint, save_checkpoint
from mobisdk.models.untrained import create_untrained_model
from mobisdk.specs import InputSpec, ModelSpec

SPEC = ModelSpec(alpha=0.125, resolution=32, num_classes=3)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_a_checkpoint_gives_the_compressed_network_back(tmp_path: Path, images: Tensor) -> None:
    network = create_untrained_model(SPEC, seed=0)
    result = compress_(network, MagnitudePruningConfig(sparsity=0.5), images=images)
    checkpoint = Checkpoint(SPEC, InputSpec.for_resolution(32), ("a", "b", "c"), compression=(result.record,))
    save_checkpoint(tmp_path / "small.safetensors", checkpoint, network.state_dict())

    read, again = load_network(tmp_path / "small.safetensors")

    assert read == checkpoint
    assert not again.training
    assert torch.equal(again(images), network(images))


def test_every_layer_is_changed_or_skipped_with_the_reason(images: Tensor) -> None:
    tied = nn.Conv2d(4, 4, 1)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), tied, tied, nn.Flatten(), nn.Linear(4 * 30 * 30, 1, bias=False))

    result = compress_(network, MagnitudePruningConfig(sparsity=0.5), images=images)

    assert [change.name for change in result.changed] == ["0", "4"]
    assert [(skipped.name, skipped.reason) for skipped in result.skipped] == [
        ("1", "its weights are used in several places"),
        ("2", "its weights are used in several places"),
    ]


def test_figures_are_the_layers_and_the_networks(images: Tensor) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 30 * 30, 2))

    result = compress_(network, MagnitudePruningConfig(sparsity=0.75, layers=("0",)), images=images)

    (change,) = result.changed
    assert (change.params_before, change.params_after) == (112, 112)
    assert (change.macs_before, change.macs_after) == (108 * 900, 108 * 900)
    assert change.bits_per_weight == 1 + 32 / 4
    assert change.size_bytes == 108 * 9 // 8 + 4 * 4 + 1  # rounded up from 121.5
    assert result.size_bytes_before == 4 * (112 + 7202)
    assert result.size_bytes_after == change.size_bytes + 4 * 7202
    assert result.record == {"method": "prune", "settings": {"sparsity": 0.75, "steps": 1}, "layers": {"0": {}}}
    json.dumps(result.record, allow_nan=False)


def test_a_layer_that_is_not_there_is_named(images: Tensor) -> None:
    with pytest.raises(ConfigError, match="no such convolution or dense layer, got 'classifer'"):
        compress_(create_untrained_model(SPEC, seed=0), MagnitudePruningConfig(layers=("classifer",)), images=images)


def test_a_record_that_does_not_fit_is_refused() -> None:
    network = create_untrained_model(SPEC, seed=0)
    for record in ({}, {"method": "unheard_of", "layers": {}}, {"method": "prune", "layers": {"nowhere": {}}}):
        with pytest.raises(DataError, match="compression does not fit"):
            restructure_(network, [record])


def test_plain_copies_of_constrained_networks_leave_the_originals_constrained(images: Tensor) -> None:
    network = create_untrained_model(SPEC, seed=0)
    compress_(network, MagnitudePruningConfig(sparsity=0.5), images=images)

    plain = without_parametrizations(network)

    assert torch.equal(plain(images), network(images))
    assert {type(module) for module in plain.modules()} == {
        type(module) for module in create_untrained_model(SPEC, seed=0).modules()
    }
    assert count_cost(network, (1, 3, 32, 32)) == count_cost(plain, (1, 3, 32, 32))


@pytest.mark.parametrize("method", list_methods())
def test_every_method_is_its_configs(method: str) -> None:
    from mobisdk.compression import find_technique

    config = find_technique(method).config

    assert config.method == method
    assert {"layers"} <= {field.name for field in dataclasses.fields(config)}


def test_an_unknown_method_is_told_the_known_ones() -> None:
    from mobisdk.compression import find_technique

    with pytest.raises(ConfigError, match=r"unknown, got 'magic'; allowed: .*prune"):
        find_technique("magic")
