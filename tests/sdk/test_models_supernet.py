"""Narrow networks cut out of wide ones: held against the wide network itself with its other channels silenced."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from mobisdk.errors import ConfigError, DataError, UnsupportedError
from mobisdk.models import create_model, list_models
from mobisdk.models.channel_maps import cut
from mobisdk.models.supernet import (
    NarrowNetwork,
    calibration_order,
    narrow_spec,
    scale_input,
    share_weights,
    slice_network,
)
from mobisdk.models.untrained import estimate_batch_norm_
from mobisdk.specs import InputSpec, ModelSpec, SupernetSpec

# Layers that are one matrix of few numbers, or parts of channels in a ring: no first channels are a network of them.
UNSLICEABLE = {"deep_fried", "factorized", "structured_transform"}
# At 0.5 two of its layers are rounded to one width, and the narrow network adds an input that the wide one does not.
ALPHAS = {"mobilenet_v3_small": (1.0, 0.75)}
SLICEABLE = sorted(set(list_models()) - UNSLICEABLE)


def build(arch: str, alpha: float, resolution: int = 48) -> nn.Module:
    torch.manual_seed(0)
    resolution = max(resolution, 75) if arch == "inception_v3" else resolution
    return create_model(ModelSpec(arch, alpha, resolution, num_classes=3)).eval()


def make_images(count: int, resolution: int, seed: int = 1) -> Tensor:
    return torch.randn(count, 3, resolution, resolution, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def silence_other_channels_(wide: nn.Module, narrow: nn.Module) -> None:
    """Make every channel of `wide` zero that `narrow` has not, by the widths of the layers alone.

    What is zero stays zero through ReLU, pooling, squeeze and excite, and adds nothing to the next layer: if a narrow
    layer reads other channels than the wide one's remaining ones, the logits differ.
    """
    counterparts = dict(narrow.named_modules())
    for name, module in wide.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            width = counterparts[name].weight.shape[0]
            module.weight[width:] = 0
            if module.bias is not None:
                module.bias[width:] = 0
        elif isinstance(module, nn.BatchNorm2d):
            width = len(counterparts[name].weight)
            module.weight[width:] = 0
            module.bias[width:] = 0


@torch.no_grad()
def randomize_norms_(network: nn.Module) -> None:
    """Scales and shifts as training leaves them: no two alike, or a channel taken for another would not show."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.uniform_(0.5, 1.5)
            module.bias.uniform_(-0.5, 0.5)


@pytest.mark.parametrize("arch", SLICEABLE)
def test_narrow_network_gives_the_wide_ones_logits_with_its_other_channels_silenced(arch: str) -> None:
    widest, narrower = ALPHAS.get(arch, (0.75, 0.5))
    wide, images = build(arch, widest), make_images(4, 75 if arch == "inception_v3" else 48)
    randomize_norms_(wide)
    spec = ModelSpec(arch, narrower, images.shape[-1], num_classes=3)

    narrow = slice_network(wide, spec, images)

    silence_other_channels_(wide, narrow)
    # In float64: random networks of many layers blow rounding up.
    wide, narrow, images = wide.double(), narrow.double(), images.double()
    for network in (wide, narrow):
        if any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
            estimate_batch_norm_(network, images)
    with torch.no_grad():
        expected, found = wide(images), narrow(images)
    assert float(expected.std(0).max()) > 1e-3
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize("arch", sorted(UNSLICEABLE))
def test_slice_network_when_the_architecture_cannot_be_cut_then_unsupported(arch: str) -> None:
    spec = ModelSpec(arch, 0.5, 32, num_classes=3)
    wide = create_model(dataclasses.replace(spec, alpha=1.0))

    with pytest.raises(UnsupportedError):
        slice_network(wide, spec, make_images(2, 32))


def test_slice_network_when_weights_follow_from_the_resolution_then_unsupported() -> None:
    wide = create_model(ModelSpec("lenet_5", 1.0, 64, num_classes=3))

    with pytest.raises(UnsupportedError, match="hidden"):
        slice_network(wide, ModelSpec("lenet_5", 0.5, 32, num_classes=3), make_images(2, 32))
    with pytest.raises(UnsupportedError, match="no part of the wide"):
        slice_network(wide, ModelSpec("lenet_5", 1.5, 64, num_classes=3), make_images(2, 64))


def test_narrow_network_when_rounding_adds_a_shortcut_then_it_is_the_plain_network_of_its_spec() -> None:
    wide, images = build("mobilenet_v3_small", 0.75), make_images(4, 48)
    spec = ModelSpec("mobilenet_v3_small", 0.5, 48, num_classes=3)

    narrow = slice_network(wide, spec, images)

    assert [type(module) for module in narrow.modules()] == [type(module) for module in create_model(spec).modules()]
    assert torch.equal(narrow.stem.conv.weight, wide.stem.conv.weight[:8])
    assert torch.equal(narrow.last.conv.weight, wide.last.conv.weight[: 6 * 48, :48])


def test_narrow_network_trains_views_of_the_wide_ones_first_channels_alone() -> None:
    wide = build("mobilenet_v1", 0.5, 32).train()
    narrow = NarrowNetwork(wide, ModelSpec("mobilenet_v1", 0.25, 32, num_classes=3))
    before = {name: buffer.clone() for name, buffer in wide.named_buffers()}

    narrow(share_weights(wide, [narrow])[1], make_images(4, 32)).square().sum().backward()

    stem = wide.stem.conv.weight.grad
    assert stem[:8].abs().min() > 0
    assert not stem[8:].any()
    pointwise = wide.blocks[3].pointwise.conv.weight.grad  # 64 → 128 channels; a quarter's are 32 → 64
    assert pointwise[:64, :32].any()
    assert not pointwise[64:].any()
    assert not pointwise[:, 32:].any()
    assert wide.classifier.weight.grad[:, 256:].abs().max() == 0
    for name, buffer in wide.named_buffers():  # the wide one's statistics are its own
        assert torch.equal(buffer, before[name])


def test_shared_weights_give_the_gradients_that_views_of_the_wide_ones_would() -> None:
    for arch in ("mobilenet_v1", "squeezenet_1_1"):  # whose joined channels are several runs
        wide, images = build(arch, 0.5).double(), make_images(4, 48).double()
        narrow = [NarrowNetwork(wide, ModelSpec(arch, alpha, 48, num_classes=3)) for alpha in (0.25, 0.35)]
        for network in narrow:
            network.module.eval()  # no dropout

        weights = dict(wide.named_parameters())
        views = [{name: cut(weights[name], part) for name, part in network.selections.items()} for network in narrow]
        gradients = []
        for own, *parts in ([weights, *views], share_weights(wide, narrow)):
            loss = functional_call(wide, own, (images,)).square().sum()
            for network, part in zip(narrow, parts, strict=True):
                loss = loss + network(part, images).pow(3).sum()
            gradients.append(torch.autograd.grad(loss, list(weights.values())))

        for expected, found in zip(*gradients, strict=True):
            assert expected.any()
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_narrow_network_gives_what_a_slice_gives_in_training() -> None:
    for arch in ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "squeezenet_1_1"):
        wide = build(arch, 0.5)
        spec, images = ModelSpec(arch, 0.3, 48, num_classes=3), make_images(4, 48)
        narrow = NarrowNetwork(wide, spec)
        narrow.module.eval()  # no dropout
        plain = slice_network(wide, spec, images)
        for module in plain.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.train()

        with torch.no_grad():
            torch.testing.assert_close(
                narrow(share_weights(wide, [narrow])[1], images), plain(images), atol=1e-5, rtol=1e-5
            )


def test_slice_network_when_images_are_no_batch_then_data_error() -> None:
    wide = build("mobilenet_v1", 0.5, 32)

    with pytest.raises(DataError, match="N ≥ 2"):
        slice_network(wide, ModelSpec("mobilenet_v1", 0.25, 32, num_classes=3), make_images(1, 32))


def test_narrow_spec_when_the_supernet_was_not_trained_for_it_then_both_are_shown() -> None:
    widest, supernet = ModelSpec(alpha=1.0, resolution=128), SupernetSpec((0.25, 1.0), (96, 128))

    assert narrow_spec(widest, supernet, 0.6, 96) == ModelSpec(alpha=0.6, resolution=96)
    with pytest.raises(ConfigError, match=r"0\.2; allowed: 0\.25 to 1"):
        narrow_spec(widest, supernet, 0.2, 96)
    with pytest.raises(ConfigError, match="112; allowed: 96, 128"):
        narrow_spec(widest, supernet, 0.6, 112)


def test_scale_input_keeps_the_view() -> None:
    assert scale_input(InputSpec(256, 224), 128) == InputSpec(146, 128)
    assert scale_input(InputSpec(64, 64), 32) == InputSpec(32, 32)


def test_calibration_order_is_mixed_the_same_every_time_and_bounded() -> None:
    order = calibration_order(5000, 32)

    assert order == calibration_order(5000, 32)
    assert len(set(order)) == len(order) == 1024
    assert max(order) > 4000  # not the first ones: folders come sorted by class
    assert len(calibration_order(5000, 224)) == 334
    assert sorted(calibration_order(10, 32)) == list(range(10))


@pytest.mark.parametrize("alphas", [(1.0, 0.25), (0.5, 0.5), (0.0, 1.0), (0.25, 2.5), (0.25,), "ab", (float("nan"), 1)])
def test_supernet_spec_when_alphas_do_not_rise_then_config_error(alphas: object) -> None:
    with pytest.raises(ConfigError, match="alphas"):
        SupernetSpec(alphas)  # type: ignore[arg-type]


def test_supernet_spec_sorts_resolutions_and_refuses_what_is_none() -> None:
    assert SupernetSpec((0.25, 1), [128, 96, 128]).resolutions == (96, 128)
    with pytest.raises(ConfigError, match="resolution"):
        SupernetSpec((0.25, 1), (16,))
