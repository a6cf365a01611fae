import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from mobisdk.layers import (
    AveragePool3x3,
    ConvNormAct,
    FusedInvertedBottleneck,
    InvertedResidual,
    Parallel,
    SeparableConv2d,
    SqueezeExcite,
    UniversalInvertedBottleneck,
)


def convolve(image: np.ndarray, weight: np.ndarray, stride: int, groups: int) -> np.ndarray:
    """SciPy's answer: (C,H,W) by (out, C/groups, k, k), zero padding of half a kernel."""
    channels_per_group, filters_per_group = weight.shape[1], weight.shape[0] // groups
    planes = []
    for out, filters in enumerate(weight):
        first = out // filters_per_group * channels_per_group
        group = image[first : first + channels_per_group]
        planes.append(sum(correlate2d(plane, one, "same") for plane, one in zip(group, filters, strict=True)))
    return np.stack(planes)[:, ::stride, ::stride]


def normalize(planes: np.ndarray, norm: torch.nn.BatchNorm2d) -> np.ndarray:
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * scale
    return planes * scale.detach().numpy()[:, None, None] + shift.detach().numpy()[:, None, None]


def randomize(module: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.1, 1.0, generator=generator)  # variances are positive
    for parameter in module.parameters():
        parameter.data.sub_(0.5)


@pytest.mark.parametrize("stride", [1, 2])
def test_separable_conv_is_a_filter_a_channel_then_a_mix_of_channels(stride: int) -> None:
    layer = SeparableConv2d(4, 6, stride=stride).double().eval()
    randomize(layer)
    image = torch.rand(1, 4, 9, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    depthwise, pointwise = layer.depthwise, layer.pointwise
    filtered = convolve(image[0].numpy(), depthwise.conv.weight.detach().numpy(), stride, groups=4)
    filtered = normalize(filtered, depthwise.norm).clip(min=0)
    mixed = convolve(filtered, pointwise.conv.weight.detach().numpy(), 1, groups=1)
    mixed = normalize(mixed, pointwise.norm).clip(min=0)

    assert mixed.std() > 0.01
    np.testing.assert_allclose(layer(image)[0].detach().numpy(), mixed, rtol=1e-12, atol=1e-12)


def test_separable_conv_has_the_papers_share_of_a_full_convolutions_weights() -> None:
    separable, full = SeparableConv2d(64, 128), ConvNormAct(64, 128, 3)

    weights = sum(unit.conv.weight.numel() for unit in (separable.depthwise, separable.pointwise))

    assert weights / full.conv.weight.numel() == pytest.approx(1 / 128 + 1 / 9)  # section 3.1: 1/N + 1/D_K²


@pytest.mark.parametrize(("side", "stride", "expected"), [(7, 1, 7), (7, 2, 4), (8, 2, 4), (1, 2, 1)])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_conv_norm_act_rounds_the_map_up(kernel_size: int, side: int, stride: int, expected: int) -> None:
    layer = ConvNormAct(3, 8, kernel_size, stride=stride).eval()

    assert layer(torch.zeros(2, 3, side, side)).shape == (2, 8, expected, expected)


def test_conv_norm_act_has_no_bias_beside_its_norm_and_rectifies() -> None:
    layer = ConvNormAct(3, 8, 3).eval()

    assert layer.conv.bias is None
    assert layer(torch.randn(2, 3, 8, 8)).min() == 0.0


def test_average_pooling_is_torchs_with_padding() -> None:
    image = torch.randn(2, 3, 5, 4)

    assert torch.allclose(AveragePool3x3()(image), torch.nn.AvgPool2d(3, 1, padding=1)(image), atol=1e-6)


def test_squeeze_and_excite_weighs_channels_by_a_hard_sigmoid_of_the_means() -> None:
    layer = SqueezeExcite(3, 2)
    randomize(layer)
    image = torch.randn(2, 3, 4, 5)
    means = image.mean(dim=(2, 3)).numpy()
    reduce, expand = (conv.weight.detach().numpy()[:, :, 0, 0] for conv in (layer.reduce, layer.expand))
    hidden = np.maximum(means @ reduce.T + layer.reduce.bias.detach().numpy(), 0)
    scores = hidden @ expand.T + layer.expand.bias.detach().numpy()
    factors = np.clip(scores / 6 + 0.5, 0, 1)

    weighed = layer(image).detach().numpy()

    np.testing.assert_allclose(weighed, image.numpy() * factors[:, :, None, None], rtol=1e-5, atol=1e-6)


def test_branches_lie_one_after_the_other() -> None:
    image = torch.randn(1, 2, 3, 3)

    both = Parallel(torch.nn.Identity(), torch.nn.MaxPool2d(1))(image)

    assert torch.equal(both, torch.cat([image, image], 1))


@pytest.mark.parametrize(
    ("block", "adds"),
    [
        (InvertedResidual(4, 24, 4), True),
        (InvertedResidual(4, 4, 4, 5, squeezed=2), True),
        (InvertedResidual(4, 24, 4, stride=2), False),
        (InvertedResidual(4, 24, 6), False),
        (UniversalInvertedBottleneck(4, 16, 4, 3, 5), True),
        (UniversalInvertedBottleneck(4, 16, 4, 0, 0), True),
        (UniversalInvertedBottleneck(4, 16, 4, 5, 0, stride=2), False),
        (UniversalInvertedBottleneck(4, 16, 6, 3, 3), False),
        (FusedInvertedBottleneck(4, 16, 4), True),
        (FusedInvertedBottleneck(4, 16, 6, stride=2), False),
    ],
)
def test_the_input_is_added_where_the_shapes_agree(block: torch.nn.Module, adds: bool) -> None:
    """A projection whose norm gives nothing leaves the input, or nothing."""
    block.eval()
    torch.nn.init.zeros_(block.project.norm.weight)
    image = torch.randn(2, 4, 6, 5)

    features = block(image)

    assert torch.equal(features, image if adds else torch.zeros_like(features))


@pytest.mark.parametrize(
    ("block", "kernels"),
    [
        # Kernel sizes, groups and strides in the order in which they run.
        (InvertedResidual(4, 24, 6, 5, stride=2), [(1, 1, 1), (5, 24, 2), (1, 1, 1)]),
        (InvertedResidual(4, 4, 6), [(3, 4, 1), (1, 1, 1)]),
        (UniversalInvertedBottleneck(4, 16, 6, 3, 5, stride=2), [(3, 4, 1), (1, 1, 1), (5, 16, 2), (1, 1, 1)]),
        (UniversalInvertedBottleneck(4, 16, 6, 3, 0, stride=2), [(3, 4, 2), (1, 1, 1), (1, 1, 1)]),
        (UniversalInvertedBottleneck(4, 16, 6, 0, 3), [(1, 1, 1), (3, 16, 1), (1, 1, 1)]),
        (FusedInvertedBottleneck(4, 16, 6, stride=2), [(3, 1, 2), (1, 1, 1)]),
    ],
)
def test_blocks_are_the_papers(block: torch.nn.Module, kernels: list[tuple[int, int, int]]) -> None:
    run: list[tuple[int, int, int]] = []
    for module in block.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(
                lambda conv, _input, _output: run.append((conv.kernel_size[0], conv.groups, conv.stride[0]))
            )

    block.eval()(torch.randn(1, 4, 8, 8))

    assert run == kernels
