import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import nn

from mobisdk.errors import ConfigError
from mobisdk.layers import FlattenedConv2d, RingProjection, SingleIntraChannelConv2d, SpatialBottleneckConv2d


def as_full_filters(outer: list[np.ndarray]) -> nn.Conv2d:
    """A convolution whose (out,in,k,k) filters are these."""
    weight = torch.tensor(np.stack(outer))
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], padding=weight.shape[2] // 2, bias=False)
    conv.weight = nn.Parameter(weight)
    return conv


@pytest.mark.parametrize("stride", [1, 2])
def test_flattened_convolution_is_a_full_one_with_filters_of_rank_one(stride: int) -> None:
    torch.manual_seed(0)
    layer = FlattenedConv2d(3, 4, 5, stride=stride, bias=False).double()
    images = torch.randn(2, 3, 9, 8, dtype=torch.float64)
    lateral = layer.lateral.weight.detach().numpy()[:, :, 0, 0]
    vertical = layer.vertical.weight.detach().numpy()[:, 0, :, 0]
    horizontal = layer.horizontal.weight.detach().numpy()[:, 0, 0, :]
    full = as_full_filters(
        [np.einsum("c,y,x->cyx", *parts) for parts in zip(lateral, vertical, horizontal, strict=True)]
    )

    filtered = layer(images)

    # Borders included: what lies beyond is zero for all three.
    assert torch.allclose(filtered, full(images)[:, :, ::stride, ::stride], atol=1e-12)
    assert sum(parameter.numel() for parameter in layer.parameters()) == 3 * 4 + 2 * 5 * 4


@pytest.mark.parametrize("subdivision", [1, 2, 4])
def test_single_intra_channel_convolution_is_scipys_then_a_projection_of_neighbouring_parts(subdivision: int) -> None:
    torch.manual_seed(0)
    layer = SingleIntraChannelConv2d(8, 8, 3, subdivision=subdivision, bias=False).double()
    image = torch.randn(8, 6, 5, dtype=torch.float64)
    filters = layer.intra.weight.detach().numpy()[:, 0]
    planes = np.stack([correlate2d(plane, one, "same") for plane, one in zip(image.numpy(), filters, strict=True)])
    matrix, part = np.zeros((8, 8)), 8 // subdivision
    for out in range(8):
        for offset, conv in enumerate(filter(None, (layer.project.own, layer.project.next))):
            first = (out // part + offset) % subdivision * part
            matrix[out, first : first + part] += conv.weight.detach().numpy()[out, :, 0, 0]

    projected = layer(image[None])[0].detach().numpy()

    np.testing.assert_allclose(projected, np.einsum("oi,iyx->oyx", matrix, planes), atol=1e-12)
    assert (matrix != 0).mean() == min(1, 2 / subdivision)


def test_spatial_bottleneck_keeps_the_map_and_projects_a_quarter_of_it() -> None:
    torch.manual_seed(0)
    layer = SpatialBottleneckConv2d(2, 3).double()
    image = torch.randn(1, 2, 7, 5, dtype=torch.float64)
    filters = layer.down.weight.detach().numpy()[:, 0]
    small = np.stack(
        [correlate2d(plane, one, "same")[::2, ::2] for plane, one in zip(image[0].numpy(), filters, strict=True)]
    )
    mixed = np.einsum("oi,iyx->oyx", layer.project.own.weight.detach().numpy()[:, :, 0, 0], small)
    up = layer.up.weight.detach().numpy()[:, 0]
    grown = np.stack([np.kron(plane, one) for plane, one in zip(mixed, up, strict=True)])[:, :7, :5]

    features = layer(image)[0].detach().numpy()

    np.testing.assert_allclose(features, grown + layer.up.bias.detach().numpy()[:, None, None], atol=1e-12)


@pytest.mark.parametrize(("inputs", "outputs"), [(6, 8), (8, 6)])
def test_channels_that_do_not_divide_are_refused(inputs: int, outputs: int) -> None:
    with pytest.raises(ConfigError, match=rf"subdivision must divide the channels, got '4 for {inputs} → {outputs}'"):
        RingProjection(inputs, outputs, 4, bias=False)


@pytest.mark.parametrize(
    "replacement",
    [FlattenedConv2d(4, 6, 3, stride=2), SingleIntraChannelConv2d(4, 6, 3, stride=2), SpatialBottleneckConv2d(4, 6)],
)
def test_layers_stand_where_a_convolution_stood(replacement: nn.Module) -> None:
    stride = 1 if isinstance(replacement, SpatialBottleneckConv2d) else 2
    convolution = nn.Conv2d(4, 6, 3, stride, 1)
    network = nn.Sequential(convolution, nn.ReLU())
    image = torch.randn(2, 4, 11, 10)
    expected = network(image).shape

    network[0] = replacement

    assert network(image).shape == expected
