"""How many channels lie between the factors of a layer: by what is kept of its filters, or by what it may cost."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from mobisdk.compression.factor_layers import count_chain_macs, count_layer_macs
from mobisdk.compression.factorization import matrix_scheme_2, squared_singular_values
from mobisdk.compression.layer_selection import CompressibleLayer


def ranks_for_energy(layer: CompressibleLayer, scheme: str, energy: float, multiple: int) -> tuple[int, ...]:
    """The smallest ranks that keep the share `energy` of the squared weights, rounded up to a multiple."""
    return tuple(_rank_for_energy(values, energy, multiple) for values in _spectra(layer, scheme))


def ranks_for_ratio(layer: CompressibleLayer, scheme: str, ratio: float, multiple: int) -> tuple[int, ...] | None:
    """The largest ranks, multiples where they can be, whose chain makes at most `ratio` of the layer's multiply-adds.

    None where the smallest ranks make more.
    """
    allowed = ratio * count_layer_macs(layer)
    best = None
    for ranks in candidate_ranks(largest_ranks(layer, scheme), multiple):
        if count_chain_macs(layer, scheme, ranks) <= allowed:
            best = ranks
    return best


def candidate_ranks(largest: Sequence[int], multiple: int) -> Iterator[tuple[int, ...]]:
    """From the smallest: of several ranks each gets about the same share of its largest."""
    widest = max(largest)
    for rank in range(multiple, widest + multiple, multiple):
        yield tuple(min(size, max(1, round(rank * size / widest / multiple)) * multiple) for size in largest)


def largest_ranks(layer: CompressibleLayer, scheme: str) -> tuple[int, ...]:
    """Ranks with which nothing is lost; of CP, with which it would cost no less."""
    weight = layer.weight
    if isinstance(layer, nn.Linear) or scheme == "svd":
        return (min(weight.shape[0], weight[0].numel()),)
    outs, ins, rows, columns = weight.shape
    match scheme:
        case "scheme_1":
            return (min(outs, rows * columns),)
        case "scheme_2":
            return (min(outs * columns, ins * rows),)
        case "tucker_2":
            return min(ins, outs * rows * columns), min(outs, ins * rows * columns)
    return (max(1, weight.numel() // (ins + outs + rows + columns)),)


def _rank_for_energy(values: Tensor, energy: float, multiple: int) -> int:
    kept = values.cumsum(0) / values.sum().clamp(min=1e-300)
    needed = min(len(values), int((kept < energy - 1e-12).sum()) + 1)
    return min(len(values), math.ceil(needed / multiple) * multiple)


def _spectra(layer: CompressibleLayer, scheme: str) -> list[Tensor]:
    """Squared singular values for each rank of the scheme, largest first."""
    weight = layer.weight.detach()
    if isinstance(layer, nn.Linear) or scheme == "svd":
        return [squared_singular_values(weight.flatten(1))]
    match scheme:
        case "scheme_1":  # all channels have one count: what is kept of all of them decides
            channels = [squared_singular_values(weight[:, channel].flatten(1)) for channel in range(weight.shape[1])]
            return [torch.stack(channels).sum(0)]
        case "scheme_2":
            return [squared_singular_values(matrix_scheme_2(weight))]
    return [squared_singular_values(weight.transpose(0, 1).flatten(1)), squared_singular_values(weight.flatten(1))]
