"""Binary weights, few bits and fixed point, as they sit in a network."""

import pytest
import torch
from torch import nn

from mobisdk.compression import CompressionResult, compress_, restructure_
from mobisdk.compression.binary_weights import BinaryWeightsConfig
from mobisdk.compression.fixed_point import FixedPointConfig
from mobisdk.compression.low_bits import LowBitsConfig
from mobisdk.compression.rounded_activation import RoundedReLU, SignActivation
from mobisdk.compression.technique import TechniqueConfig
from mobisdk.errors import ConfigError


def build() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, groups=16),
        nn.Conv2d(16, 24, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24 * 16, 4),
    )


IMAGES = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def compress(config: TechniqueConfig) -> tuple[nn.Sequential, CompressionResult]:
    model = build()
    result = compress_(model, config, images=IMAGES)
    again = build()
    restructure_(again, [result.record])
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(IMAGES), model(IMAGES))
    return model, result


def test_first_last_and_depthwise_layers_keep_their_weights() -> None:
    model, result = compress(LowBitsConfig(weight_bits=2))
    assert [change.name for change in result.changed] == ["3"]
    assert {skipped.name: skipped.reason.split(":")[0] for skipped in result.skipped} == {
        "0": "first or last",
        "2": "depthwise",
        "6": "first or last",
    }
    assert result.changed[0].bits_per_weight == 2 + 32 / 16
    assert all(len(row.unique()) <= 4 for row in model[3].weight.detach())


def test_all_layers_when_the_ends_are_not_kept() -> None:
    _, result = compress(LowBitsConfig(keep_first_and_last=False))
    assert [change.name for change in result.changed] == ["0", "3", "6"]
    _, result = compress(LowBitsConfig(layers=("0",)))
    assert [change.name for change in result.changed] == ["0"]


@pytest.mark.parametrize(("scaling", "bits"), [("output", 1 + 32 / 16), ("none", 1)])
def test_binary_weights_are_one_bit(scaling: str, bits: float) -> None:
    model, result = compress(BinaryWeightsConfig(scaling=scaling))  # type: ignore[arg-type]
    assert result.changed[0].bits_per_weight == bits
    weight = model[3].weight.detach()
    original = build()[3].weight.detach()  # type: ignore[union-attr]
    expected = original.sign() * (original.abs().mean((1, 2, 3), keepdim=True) if scaling == "output" else 1)  # type: ignore[operator, union-attr]
    torch.testing.assert_close(weight, expected)


def test_weights_when_trained_then_what_learns_is_not_rounded() -> None:
    model, _ = compress(BinaryWeightsConfig())
    before = model[3].weight.detach().clone()
    latent = model[3].parametrizations.weight.original  # type: ignore[union-attr]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(IMAGES), torch.arange(16) % 4).backward()
        optimizer.step()
    after = model[3].weight.detach()
    assert len(latent.unique()) > 300  # type: ignore[operator]
    assert all(len(row.unique()) == 2 for row in after.abs().mul(after.sign()))
    assert (before.sign() != after.sign()).any()


def test_sign_activation_when_worked_by_hand_then_scaled_by_the_mean_over_channels() -> None:
    features = torch.tensor([[[[1.0, -2.0]], [[-3.0, 0.0]]]])  # two channels, two places: means 2 and 1
    assert SignActivation()(features).tolist() == [[[[2, -1]], [[-2, 1]]]]


def test_xnor_convolution_is_the_papers_product() -> None:
    """For a 1×1 filter: I ∗ W ≈ (sign(I) ∗ sign(W)) · K · α; Rastegari et al., equation 11."""
    model, _ = compress(BinaryWeightsConfig(activations=True, layers=("3",)))
    assert isinstance(model[1], SignActivation)
    features = torch.randn(2, 16, 4, 4)
    original = build()[3]
    signs = nn.functional.conv2d(features.sign(), original.weight.sign())  # type: ignore[operator, union-attr, arg-type]
    k = features.abs().mean(1, keepdim=True)
    alpha = original.weight.abs().mean((1, 2, 3)).view(1, -1, 1, 1)  # type: ignore[operator, union-attr]
    expected = signs * k * alpha + original.bias.view(1, -1, 1, 1)  # type: ignore[operator, union-attr]
    torch.testing.assert_close(model[3](SignActivation()(features)), expected)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_activations_when_rounded_then_few_and_zero_is_one(bits: int) -> None:
    model, result = compress(LowBitsConfig(weight_bits=4, activation_bits=bits))
    assert [change.name for change in result.changed] == ["3", "1", "4"]
    activation = model[1]
    assert isinstance(activation, RoundedReLU)
    values = activation(model[0](IMAGES)).detach().unique()
    assert len(values) <= 2**bits
    assert float(values[0]) == 0
    torch.testing.assert_close(values / activation.step, (values / activation.step).round())


def test_rounded_activation_when_differentiated_then_straight_through_within_its_range() -> None:
    activation = RoundedReLU(2)
    activation.step.fill_(0.5)
    features = torch.tensor([-1.0, 0.3, 1.4, 1.6], requires_grad=True)
    activated = activation(features)
    assert activated.tolist() == [0, 0.5, 1.5, 1.5]
    activated.sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [0, 1, 1, 0]


def test_fixed_point_weights_and_activations_are_whole_numbers_times_a_power_of_two() -> None:
    model, result = compress(FixedPointConfig(bits=6, max_overflow=0.0))
    assert [change.name for change in result.changed] == ["0", "2", "3", "6", "1", "4"]
    for layer in (0, 2, 3, 6):
        weight = model[layer].weight.detach()
        step = 2.0 ** torch.floor(torch.log2(weight.abs()[weight != 0].min()))
        assert torch.equal(weight / step, (weight / step).round())
        assert len(weight.unique()) <= 64
        assert (weight - build()[layer].weight).abs().max() <= weight.abs().max() / 16  # type: ignore[operator, union-attr]
    assert isinstance(model[1], RoundedReLU)
    assert float(torch.log2(model[1].step)).is_integer()


def test_activations_when_there_are_no_images_then_refused() -> None:
    for config in (FixedPointConfig(), LowBitsConfig(activation_bits=2)):
        with pytest.raises(ConfigError, match="needs images"):
            compress_(build(), config)


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        (LowBitsConfig, {"weight_bits": 3}),
        (LowBitsConfig, {"activation_bits": 8}),
        (BinaryWeightsConfig, {"scaling": "all"}),
        (FixedPointConfig, {"bits": 1}),
        (FixedPointConfig, {"max_overflow": 1}),
    ],
)
def test_config_when_it_is_wrong_then_refused(config: type[TechniqueConfig], settings: dict) -> None:
    with pytest.raises(ConfigError):
        config(**settings)
