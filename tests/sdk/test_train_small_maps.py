import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from mobisdk.models import create_model
from mobisdk.specs import ModelSpec
from mobisdk.training.small_maps import SmallMapConv2d, sped_up_small_maps


@pytest.mark.parametrize("side", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("taps", [3, 5])
def test_values_and_gradients_are_those_of_the_plain_convolution(side: int, stride: int, taps: int) -> None:
    plain = nn.Sequential(nn.Conv2d(6, 6, taps, stride, taps // 2, groups=6)).double()
    fast = copy.deepcopy(plain)
    features = torch.randn(4, 6, side, side, dtype=torch.float64)
    results = []
    with sped_up_small_maps(fast):
        assert isinstance(fast[0], SmallMapConv2d)
        for convolution in (plain, fast):
            given = features.clone().requires_grad_()
            result = convolution(given)
            result.square().sum().backward()
            results.append((result, given.grad, convolution[0].weight.grad, convolution[0].bias.grad))

    for expected, found in zip(*results, strict=True):
        assert found.shape == expected.shape
        assert torch.allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_parameters_stay_the_same_objects_under_the_same_names() -> None:
    network = create_model(ModelSpec(alpha=0.25, resolution=32, num_classes=2))
    modules, before = list(network.modules()), dict(network.named_parameters())

    with sped_up_small_maps(network):
        after = dict(network.named_parameters())
        assert list(after) == list(before)
        assert all(after[name] is before[name] for name in before)
        assert sum(isinstance(module, SmallMapConv2d) for module in network.modules()) == 13

    assert all(now is then for now, then in zip(network.modules(), modules, strict=True))


def test_a_parametrized_convolution_stays_its_own() -> None:
    network = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4))
    parametrize.register_parametrization(network[0], "weight", nn.Identity())

    with sped_up_small_maps(network):
        assert parametrize.is_parametrized(network[0], "weight")
