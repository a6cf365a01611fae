import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from mobisdk.models import create_model
from mobisdk.specs import ModelSpec
from mobisdk.training.fast_convolutions import DepthwiseConv2d, PointwiseConv2d, sped_up_convolutions


@pytest.mark.parametrize("side", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("taps", [3, 5])
def test_values_and_gradients_are_those_of_the_plain_convolution(side: int, stride: int, taps: int) -> None:
    plain = nn.Sequential(nn.Conv2d(6, 6, taps, stride, taps // 2, groups=6)).double()
    features = torch.randn(4, 6, side, side, dtype=torch.float64)

    check_same(plain, features, DepthwiseConv2d)


def test_pointwise_values_and_gradients_are_those_of_the_plain_convolution() -> None:
    plain = nn.Sequential(nn.Conv2d(6, 10, 1)).double()
    features = torch.randn(4, 6, 3, 5, dtype=torch.float64).to(memory_format=torch.channels_last)

    check_same(plain, features, PointwiseConv2d)


@pytest.mark.parametrize("side", [1, 2, 7, 8])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("taps", [3, 5])
def test_depthwise_in_bfloat16_is_as_exact_as_the_plain_convolution(side: int, stride: int, taps: int) -> None:
    """Both round to 8 bits; float64 of the same rounded numbers says how far off they may be."""
    plain = nn.Sequential(nn.Conv2d(16, 16, taps, stride, taps // 2, groups=16, bias=False))
    with torch.no_grad():
        plain[0].weight.copy_(plain[0].weight.bfloat16())
    features = torch.randn(8, 16, side, side).bfloat16().float().to(memory_format=torch.channels_last)
    exact = copy.deepcopy(plain).double()
    wanted = differentiate(exact, features.double())
    with sped_up_convolutions(plain), torch.autocast("cpu", torch.bfloat16):
        result = plain(given := features.clone().requires_grad_())
        assert result.dtype == torch.bfloat16
    (2 * wanted[0].float() * result.float()).sum().backward()

    for found, expected in zip((result, given.grad, plain[0].weight.grad), wanted, strict=False):
        assert (found.double() - expected).abs().max() <= 0.01 * expected.abs().max()


def check_same(plain: nn.Module, features: torch.Tensor, stand_in: type[nn.Module]) -> None:
    fast = copy.deepcopy(plain)
    wanted = differentiate(plain, features)
    with sped_up_convolutions(fast):
        assert isinstance(fast[0], stand_in)
        found = differentiate(fast, features)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape
        assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def differentiate(convolution: nn.Module, features: torch.Tensor) -> list[torch.Tensor]:
    """The result, and the gradients of its squares' sum."""
    given = features.clone().requires_grad_()
    result = convolution(given)
    result.square().sum().backward()
    return [result.detach(), given.grad, *(parameter.grad for parameter in convolution.parameters())]


def test_parameters_stay_the_same_objects_under_the_same_names() -> None:
    network = create_model(ModelSpec(alpha=0.25, resolution=32, num_classes=2))
    modules, before = list(network.modules()), dict(network.named_parameters())

    with sped_up_convolutions(network):
        after = dict(network.named_parameters())
        assert list(after) == list(before)
        assert all(after[name] is before[name] for name in before)
        assert sum(isinstance(module, DepthwiseConv2d) for module in network.modules()) == 13
        assert sum(isinstance(module, PointwiseConv2d) for module in network.modules()) == 13

    assert all(now is then for now, then in zip(network.modules(), modules, strict=True))


def test_a_parametrized_convolution_stays_its_own() -> None:
    network = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4))
    parametrize.register_parametrization(network[0], "weight", nn.Identity())

    with sped_up_convolutions(network):
        assert parametrize.is_parametrized(network[0], "weight")
