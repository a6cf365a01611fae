"""Which weights of a wide network make up a narrower one of the same architecture."""

import itertools
import operator
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from mobisdk.errors import UnsupportedError
from mobisdk.layers.tracing import LayerTracer, concatenation_axis

_CHANNEL_AXIS = 1
# They leave every channel where it is; of several tensors, each channel meets its own.
_KEEPING_FUNCTIONS = {operator.add, operator.iadd, operator.mul, operator.imul, operator.truediv, F.relu, F.relu6}
_KEEPING_METHODS = {"mean", "flatten"}


@dataclass(frozen=True)
class _Channels:
    """The channels at one place of the narrow network."""

    indices: tuple[int, ...]
    """Of the wide network's channels at the same place, one each."""
    wide: int | None
    """How many the wide one has there; None behind a sum that only the narrow one makes."""


_Indices = tuple[tuple[int, ...], ...]
"""Along the first axes of a wide tensor; further axes are taken whole."""
Selection = tuple[tuple[tuple[int, int], ...], ...]
"""The same as runs of neighbours: the first one's index, and how many."""


def select_weights(wide: nn.Module, narrow: nn.Module) -> dict[str, Selection]:
    """Find, for every weight and statistic of `narrow`, the part of the one of the same name in `wide` that it is.

    Every layer keeps its first output channels. What it reads follows from the layers before it: where branches are
    joined, each one's first channels. Both may be on the meta device; nothing is computed.

    Raises:
        UnsupportedError: the networks differ in more than widths, or a layer mixes channels in a way unknown here.
    """
    followed = _Cut(wide, narrow).follow()
    selections: dict[str, Selection] = {}
    state, found = wide.state_dict(), narrow.state_dict()
    for name, tensor in found.items():
        if name not in state or tensor.dim() != state[name].dim():
            raise UnsupportedError("the wide network lacks a weight of the narrow one", got=name)
        # What the forward pass does not reach, such as an auxiliary head, is cut to its shape.
        indices = followed.get(name, tuple(tuple(range(size)) for size in tensor.shape))
        fits = all(not axis or axis[-1] < size for axis, size in zip(indices, state[name].shape, strict=False))
        shape = (*(len(axis) for axis in indices), *state[name].shape[len(indices) :])
        if not fits or shape != tensor.shape:
            raise UnsupportedError(
                f"{name} is no part of the wide network's",
                got=tuple(tensor.shape),
                allowed=str(tuple(state[name].shape)),
            )
        selections[name] = tuple(map(_find_runs, indices))
    return selections


def cut(tensor: Tensor, selection: Selection) -> Tensor:
    """The selected part: a view where every axis gives one run of indices, else its runs joined."""
    for axis, runs in enumerate(selection):
        parts = [tensor.narrow(axis, start, length) for start, length in runs]
        tensor = parts[0] if len(parts) == 1 else torch.cat(parts, axis)
    return tensor


def add_part_(total: Tensor, selection: Selection, part: Tensor) -> None:
    """Add `part` where `cut` would find it in `total`."""
    axes = []
    for runs in selection:
        ends = list(itertools.accumulate(length for _, length in runs))
        axes.append(
            [
                (slice(start, start + length), slice(end - length, end))
                for (start, length), end in zip(runs, ends, strict=True)
            ]
        )
    for pieces in itertools.product(*axes):
        total[tuple(there for there, _ in pieces)] += part[tuple(here for _, here in pieces)]


def _find_runs(indices: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    starts = [0, *(place for place in range(1, len(indices)) if indices[place] != indices[place - 1] + 1)]
    return tuple((indices[start], end - start) for start, end in zip(starts, [*starts[1:], len(indices)], strict=True))


class _Cut:
    """One walk through the narrow network's forward pass."""

    def __init__(self, wide: nn.Module, narrow: nn.Module) -> None:
        self._wide = dict(wide.named_modules())
        self._narrow = narrow
        self._selections: dict[str, _Indices] = {}

    def follow(self) -> dict[str, _Indices]:
        try:
            graph = LayerTracer().trace(self._narrow)
        except (fx.proxy.TraceError, TypeError) as error:
            raise UnsupportedError(
                "the forward pass depends on its values, and cannot be followed", got=type(self._narrow).__name__
            ) from error
        channels: dict[fx.Node, _Channels] = {}
        for node in graph.nodes:
            if node.op == "placeholder":
                channels[node] = _Channels((0, 1, 2), 3)
            elif node.op != "output":
                channels[node] = self._step(node, channels)
        return self._selections

    def _step(self, node: fx.Node, channels: Mapping[fx.Node, _Channels]) -> _Channels:
        sources = [channels[source] for source in node.all_input_nodes]
        if node.op == "call_module":
            return self._pass_module(str(node.target), sources[0])
        if node.target is torch.cat:
            if concatenation_axis(node) == _CHANNEL_AXIS:
                return _join(sources)
        elif (node.target in _KEEPING_FUNCTIONS or node.target in _KEEPING_METHODS) and len(
            {source.indices for source in sources}
        ) == 1:
            wides = {source.wide for source in sources}
            return _Channels(sources[0].indices, wides.pop() if len(wides) == 1 else None)
        raise UnsupportedError("it is not known how to cut the width of what this does with channels", got=str(node))

    def _pass_module(self, name: str, into: _Channels) -> _Channels:
        narrow, wide = self._narrow.get_submodule(name), self._wide.get(name)
        if not any(True for _ in narrow.parameters(recurse=False)):
            return into
        match narrow, wide:
            case nn.Conv2d(), nn.Conv2d():
                return self._pass_convolution(name, narrow, wide, into)
            case nn.BatchNorm2d(), nn.BatchNorm2d():
                self._select(name, into.indices, parts=("weight", "bias", "running_mean", "running_var"))
                return into
            case nn.Linear(), nn.Linear():
                if into.wide is not None and wide.in_features % into.wide == 0:
                    pixels = wide.in_features // into.wide
                    columns = tuple(index * pixels + pixel for index in into.indices for pixel in range(pixels))
                    rows = tuple(range(narrow.out_features))
                    self._select(name, rows, columns)
                    return _Channels(rows, wide.out_features)
        raise UnsupportedError(
            f"it is not known how to cut the width of {name}",
            got=type(narrow).__name__,
            allowed="Conv2d, BatchNorm2d, Linear",
        )

    def _pass_convolution(self, name: str, narrow: nn.Conv2d, wide: nn.Conv2d, into: _Channels) -> _Channels:
        if narrow.groups == wide.groups == 1:
            rows = tuple(range(narrow.out_channels))
            self._select(name, rows, into.indices)
            return _Channels(rows, wide.out_channels)
        each = wide.out_channels // wide.in_channels
        if narrow.groups != narrow.in_channels or wide.groups != wide.in_channels:
            raise UnsupportedError(
                f"{name} is a convolution in groups of several channels", got=wide.groups, allowed="1, or one a channel"
            )
        rows = tuple(index * each + place for index in into.indices for place in range(each))
        self._select(name, rows)
        return _Channels(rows, wide.out_channels)

    def _select(self, name: str, rows: tuple[int, ...], *columns: tuple[int, ...], parts: tuple[str, ...] = ()) -> None:
        if parts:
            self._selections |= {f"{name}.{part}": (rows,) for part in parts}
            return
        self._selections[f"{name}.weight"] = (rows, *columns)
        if self._narrow.get_submodule(name).bias is not None:
            self._selections[f"{name}.bias"] = (rows,)


def _join(sources: list[_Channels]) -> _Channels:
    """The channels of several maps, one after the other."""
    if any(source.wide is None for source in sources):
        raise UnsupportedError("a sum that only the narrow network makes is joined with other channels")
    wides = [source.wide or 0 for source in sources]
    indices = tuple(index + sum(wides[:place]) for place, source in enumerate(sources) for index in source.indices)
    return _Channels(indices, sum(wides))
