"""Pruning: counted by hand, and held against the same network with its channels at zero."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobisdk.compression import compress_, restructure_
from mobisdk.compression.channel_groups import find_channel_groups
from mobisdk.compression.channel_pruning import ChannelPruningConfig
from mobisdk.compression.low_rank import LowRankConfig
from mobisdk.compression.magnitude_pruning import TECHNIQUE, MagnitudePruningConfig
from mobisdk.cost import count_cost
from mobisdk.errors import ConfigError, DataError, UnsupportedError
from mobisdk.models.untrained import create_untrained_model
from mobisdk.specs import ModelSpec


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_the_smallest_weights_go_and_are_counted_by_hand() -> None:
    layer = nn.Linear(4, 2, bias=False)
    layer.weight.data = torch.tensor([[0.5, -0.1, 0.0, 3.0], [-2.0, 0.2, -0.3, 1.0]])

    result = compress_(nn.Sequential(layer), MagnitudePruningConfig(sparsity=0.6), images=torch.zeros(1, 4))

    assert result.changed[0].done == "4 of 8 weights are zero"  # floor(0.6 · 8)
    assert layer.weight.tolist() == [[0.5, 0.0, 0.0, 3.0], [-2.0, 0.0, 0.0, 1.0]]
    assert result.changed[0].bits_per_weight == 17  # half of them at 32 bits, and a bit each


def test_what_is_cut_stays_cut_while_the_rest_learns() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 4))
    compress_(network, MagnitudePruningConfig(sparsity=0.5), images=torch.zeros(1, 6))
    before = network[0].weight.detach().clone()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, weight_decay=0.1)

    network(torch.randn(8, 6)).square().sum().backward()
    optimizer.step()

    assert torch.equal(network[0].weight == 0, before == 0)
    assert not torch.equal(network[0].weight, before)


def test_gradual_pruning_follows_the_cubic_schedule_and_cuts_more_each_time() -> None:
    stages = TECHNIQUE.stages(MagnitudePruningConfig(sparsity=0.8, steps=4))

    assert [round(stage.sparsity, 4) for stage in stages] == [  # type: ignore[attr-defined]
        round(0.8 * (1 - (3 / 4) ** 3), 4),
        round(0.8 * (1 - (1 / 2) ** 3), 4),
        round(0.8 * (1 - (1 / 4) ** 3), 4),
        0.8,
    ]
    network = nn.Sequential(nn.Linear(10, 10, bias=False))
    zeros = []
    for stage in stages:
        compress_(network, stage, images=torch.zeros(1, 10))
        zeros.append(int((network[0].weight == 0).sum()))
    assert zeros == [46, 70, 78, 80]


@pytest.mark.parametrize(
    "spec",
    [
        ModelSpec("mobilenet_v1", alpha=0.25, resolution=32, num_classes=5),
        ModelSpec("mobilenet_v2", alpha=0.35, resolution=32, num_classes=5),
        ModelSpec("mobilenet_v3_small", alpha=0.5, resolution=32, num_classes=5),
        ModelSpec("squeezenet_1_1", alpha=0.25, resolution=64, num_classes=5),
        ModelSpec("inception_v3", alpha=0.125, resolution=128, num_classes=5),
    ],
    ids=lambda spec: spec.arch,
)
def test_a_pruned_network_answers_as_the_wide_one_with_those_channels_at_zero(spec: ModelSpec) -> None:
    images = torch.randn(2, 3, spec.resolution, spec.resolution, generator=torch.Generator().manual_seed(0))
    wide = create_untrained_model(spec, seed=0)
    generator = torch.Generator().manual_seed(1)
    for module in wide.modules():
        if isinstance(module, nn.BatchNorm2d):  # no two channels alike
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.uniform_(-0.3, 0.3, generator=generator)
    groups = find_channel_groups(wide, images)
    pruned = copy.deepcopy(wide)

    result = compress_(pruned, ChannelPruningConfig(keep=0.5, multiple=4), images=images)

    assert result.macs_after < 0.6 * result.macs_before
    assert result.macs_after == count_cost(pruned, (1, 3, spec.resolution, spec.resolution)).macs
    # Every group that lost a channel: zero in the wide network whatever makes it, and its norms.
    for name in groups.layers:
        layer = wide.get_submodule(name)
        rows = _find_rows(pruned.get_submodule(name).weight, layer.weight)
        gone = [row for row in range(len(layer.weight)) if row not in rows]
        layer.weight.data[gone] = 0
        if layer.bias is not None:
            layer.bias.data[gone] = 0
    torch.testing.assert_close(pruned(images), wide(images), atol=1e-4, rtol=1e-3)


def _find_rows(small: Tensor, large: Tensor) -> set[int]:
    """Rows of the large weight that are in the small one, told by values that no other row has."""
    rows: set[int] = set()
    start = 0
    for row in small:
        values = set(row.flatten().tolist())
        start = next(index for index in range(start, len(large)) if values <= set(large[index].flatten().tolist()))
        rows.add(start)
        start += 1
    return rows


def test_channels_are_left_in_multiples_of_eight(images: Tensor) -> None:
    network = create_untrained_model(ModelSpec(alpha=0.5, resolution=32, num_classes=5), seed=0)

    compress_(network, ChannelPruningConfig(keep=0.6), images=images)

    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert {module.out_channels % 8 for module in convolutions} == {0}
    assert all(module.in_channels % 8 == 0 for module in convolutions[1:])


def test_the_record_alone_gives_the_smaller_network(images: Tensor) -> None:
    spec = ModelSpec("mobilenet_v2", alpha=0.35, resolution=32, num_classes=5)
    network = create_untrained_model(spec, seed=0)
    result = compress_(network, ChannelPruningConfig(keep=0.5), images=images)
    again = create_untrained_model(spec, seed=1)

    restructure_(again, [result.record])
    again.load_state_dict(network.state_dict())

    assert torch.equal(again(images), network(images))


def test_the_least_important_channels_go() -> None:
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1)
    first.weight.data[2] *= 0.01
    second.weight.data[:, 2] *= 0.01
    first.weight.data[0] *= 0.02
    second.weight.data[:, 0] *= 0.02

    compress_(
        nn.Sequential(first, nn.ReLU(), second),
        ChannelPruningConfig(keep=0.5, multiple=1),
        images=torch.zeros(1, 3, 4, 4),
    )

    assert first.weight.shape == (2, 3, 1, 1)
    assert second.weight.shape == (5, 2, 1, 1)
    assert first.weight.abs().max() > 0.1


def test_what_cannot_be_narrowed_is_named(images: Tensor) -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 16, 3)
            self.rolled = nn.Conv2d(16, 16, 1)
            self.grouped = nn.Conv2d(16, 16, 3, groups=4)
            self.head = nn.Linear(16, 2)

        def forward(self, features: Tensor) -> Tensor:
            features = F.relu(self.stem(features))
            features = torch.roll(self.rolled(features), 1, 1)
            return self.head(self.grouped(features).mean((2, 3)))

    result = compress_(Network(), ChannelPruningConfig(keep=0.5), images=images)

    reasons = {skipped.name: skipped.reason for skipped in result.skipped}
    assert [change.name for change in result.changed] == ["stem", "rolled"]
    assert "roll reads them in a way that is not known" in reasons["rolled"]
    assert "answer" in reasons["head"]


def test_a_depthwise_layer_that_a_layer_before_it_narrowed_is_not_said_to_be_left_alone(images: Tensor) -> None:
    network = nn.Sequential(nn.Conv2d(3, 16, 1), nn.Conv2d(16, 16, 3, groups=16), nn.Conv2d(16, 4, 1))

    result = compress_(network, ChannelPruningConfig(keep=0.5), images=images)

    assert [change.name for change in result.changed] == ["0", "1", "2"]
    assert [skipped.name for skipped in result.skipped] == ["2"]  # what the network answers stays


def test_a_forward_pass_that_depends_on_values_is_refused(images: Tensor) -> None:
    class Depending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 8, 1)

        def forward(self, features: Tensor) -> Tensor:
            return self.layer(features) if features.shape[2] > 8 else features

    with pytest.raises(UnsupportedError, match="depends on its values"):
        compress_(Depending(), ChannelPruningConfig(), images=images)


def test_techniques_that_would_undo_a_mask_are_refused(images: Tensor) -> None:
    network = create_untrained_model(ModelSpec(alpha=0.25, resolution=32, num_classes=5), seed=0)
    compress_(network, MagnitudePruningConfig(), images=images)

    for config in (LowRankConfig(), ChannelPruningConfig()):
        with pytest.raises(ConfigError, match=rf"would undo what prune did.*--method {config.method},prune"):
            compress_(network, config, images=images)


def test_hostile_widths_are_refused() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    for layers in (
        {"0": {"in": 3, "out": 9}},
        {"0": {"in": 0, "out": 8}},
        {"1": {"features": math.inf}},
        {"0": {"features": 1}},
    ):
        with pytest.raises(DataError, match="compression does not fit"):
            restructure_(network, [{"method": "prune_channels", "layers": layers}])
