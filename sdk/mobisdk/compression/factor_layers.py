"""A convolution or dense layer as a chain of cheaper ones, with weights that do not matter yet."""

import math
from collections import OrderedDict
from typing import Any

from torch import nn

from mobisdk.compression.layer_selection import CompressibleLayer
from mobisdk.models.variant import SamePadConv2d


def build_chain(layer: CompressibleLayer, scheme: str, ranks: tuple[int, ...]) -> nn.Sequential:
    """Layers in a row that take and give what `layer` does; the last has its bias.

    svd (r): to r channels, 1×1 from them. scheme_1 (m): m separable filters a channel, then 1×1. scheme_2 (r): vertical
    to r channels, horizontal from them. tucker_2 (in, out): 1×1, the kernel among fewer channels, 1×1. cp (r): 1×1,
    vertical and horizontal a channel, 1×1.

    Raises:
        ValueError: no such scheme, or not its number of ranks.
    """
    has_bias = layer.bias is not None
    if isinstance(layer, nn.Linear):
        (rank,) = ranks
        return _chain(
            reduce=nn.Linear(layer.in_features, rank, bias=False),
            expand=nn.Linear(rank, layer.out_features, bias=has_bias),
        )
    wide, narrow = layer.in_channels, layer.out_channels
    (rows, columns), (stride_y, stride_x) = layer.kernel_size, layer.stride
    (pad_y, pad_x), (step_y, step_x) = _pair(layer.padding), layer.dilation
    whole: dict[str, Any] = {"stride": layer.stride, "padding": _pair(layer.padding), "dilation": layer.dilation}
    vertical: dict[str, Any] = {"stride": (stride_y, 1), "padding": (pad_y, 0), "dilation": (step_y, 1)}
    horizontal: dict[str, Any] = {"stride": (1, stride_x), "padding": (0, pad_x), "dilation": (1, step_x)}
    match scheme, ranks:
        case "svd", (rank,):
            return _chain(
                reduce=nn.Conv2d(wide, rank, (rows, columns), **whole, bias=False),
                expand=nn.Conv2d(rank, narrow, 1, bias=has_bias),
            )
        case "scheme_1", (count,):
            between = wide * count
            return _chain(
                vertical=nn.Conv2d(wide, between, (rows, 1), **vertical, groups=wide, bias=False),
                horizontal=nn.Conv2d(between, between, (1, columns), **horizontal, groups=between, bias=False),
                expand=nn.Conv2d(between, narrow, 1, bias=has_bias),
            )
        case "scheme_2", (rank,):
            return _chain(
                vertical=nn.Conv2d(wide, rank, (rows, 1), **vertical, bias=False),
                horizontal=nn.Conv2d(rank, narrow, (1, columns), **horizontal, bias=has_bias),
            )
        case "tucker_2", (rank_in, rank_out):
            return _chain(
                reduce=nn.Conv2d(wide, rank_in, 1, bias=False),
                core=nn.Conv2d(rank_in, rank_out, (rows, columns), **whole, bias=False),
                expand=nn.Conv2d(rank_out, narrow, 1, bias=has_bias),
            )
        case "cp", (rank,):
            return _chain(
                reduce=nn.Conv2d(wide, rank, 1, bias=False),
                vertical=nn.Conv2d(rank, rank, (rows, 1), **vertical, groups=rank, bias=False),
                horizontal=nn.Conv2d(rank, rank, (1, columns), **horizontal, groups=rank, bias=False),
                expand=nn.Conv2d(rank, narrow, 1, bias=has_bias),
            )
    raise ValueError(f"no scheme {scheme} of ranks {ranks}")


def count_chain_macs(layer: CompressibleLayer, scheme: str, ranks: tuple[int, ...]) -> float:
    """Multiply-adds of the chain for one pixel of the layer's output."""
    if isinstance(layer, nn.Linear):
        return float(ranks[0] * (layer.in_features + layer.out_features))
    wide, narrow = layer.in_channels, layer.out_channels
    (rows, columns), (stride_y, stride_x) = layer.kernel_size, layer.stride
    before = stride_y * stride_x  # what runs before the stride runs on so many pixels
    match scheme:
        case "svd":
            return ranks[0] * (wide * rows * columns + narrow)
        case "scheme_1":
            return wide * ranks[0] * (rows * stride_x + columns + narrow)
        case "scheme_2":
            return ranks[0] * (wide * rows * stride_x + narrow * columns)
        case "tucker_2":
            rank_in, rank_out = ranks
            return rank_in * wide * before + rank_in * rank_out * rows * columns + rank_out * narrow
    return ranks[0] * (wide * before + rows * stride_x + columns + narrow)


def count_layer_macs(layer: CompressibleLayer) -> int:
    """Multiply-adds of the layer itself for one pixel of its output."""
    return math.prod(layer.weight.shape)


def why_not(layer: CompressibleLayer) -> str | None:
    """Why a layer cannot become a chain; None where it can."""
    if isinstance(layer, nn.Linear):
        return None
    if layer.groups > 1:
        return f"its {layer.groups} groups have few channels to share filters"
    if isinstance(layer, SamePadConv2d):
        return "its padding follows the map's size, and cannot be split among factors"
    if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        return f"its padding ({layer.padding}, {layer.padding_mode}) cannot be split among factors"
    return None


def _chain(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


def _pair(padding: str | tuple[int, ...]) -> tuple[int, int]:
    if isinstance(padding, str):
        raise ValueError(f"padding {padding} cannot be split among factors")  # noqa: TRY004, of a hostile file
    return padding[0], padding[1]
