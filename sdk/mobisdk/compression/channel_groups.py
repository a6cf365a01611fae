"""Which channels of which layers can only go together: those that one sum, one depthwise filter or one norm ties."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from mobisdk.errors import UnsupportedError
from mobisdk.layers.tracing import LayerTracer, concatenation_axis

_ELEMENTWISE = {
    operator.add,
    operator.iadd,
    operator.sub,
    operator.mul,
    operator.imul,
    operator.truediv,
    torch.add,
    torch.mul,
}
_KEEPING_FUNCTIONS = {
    F.relu,
    F.relu6,
    F.hardswish,
    F.hardsigmoid,
    F.silu,
    F.sigmoid,
    F.dropout,
    F.pad,
    F.max_pool2d,
    F.avg_pool2d,
    F.adaptive_avg_pool2d,
    F.interpolate,
    torch.relu,
    torch.sigmoid,
    torch.flatten,
}
_KEEPING_METHODS = {"mean", "flatten", "relu", "sigmoid", "contiguous", "view", "reshape", "squeeze"}


@dataclass
class LayerChannels:
    """The channels that one layer reads and gives, by the number of the group that each belongs to."""

    reads: list[int]
    gives: list[int]
    pixels: int = 1
    """Of a dense layer behind a flattened map: columns a channel."""


@dataclass
class ChannelGroups:
    """Every channel of a network; two with the same root go together."""

    layers: dict[str, LayerChannels] = field(default_factory=dict)
    """Convolutions, batch norms and dense layers."""
    fixed: dict[int, str] = field(default_factory=dict)
    """Root → why its channels must stay."""
    _parents: list[int] = field(default_factory=list)

    def fresh(self, count: int) -> list[int]:
        """New channels, each in a group of its own."""
        start = len(self._parents)
        self._parents.extend(range(start, start + count))
        return list(range(start, start + count))

    def root(self, channel: int) -> int:
        """The group that a channel belongs to."""
        while self._parents[channel] != channel:
            self._parents[channel] = self._parents[self._parents[channel]]
            channel = self._parents[channel]
        return channel

    def tie(self, one: Sequence[int], other: Sequence[int]) -> None:
        """Channels at the same place go together."""
        for first, second in zip(one, other, strict=True):
            first_root, second_root = self.root(first), self.root(second)
            if first_root != second_root:
                low, high = sorted((first_root, second_root))
                self._parents[high] = low
                if high in self.fixed:
                    self.fixed[low] = self.fixed.pop(high)

    def fix(self, channels: Sequence[int], reason: str) -> None:
        """Let channels stay."""
        for channel in channels:
            self.fixed.setdefault(self.root(channel), reason)


def find_channel_groups(model: nn.Module, images: Tensor) -> ChannelGroups:
    """Follow the channels of `images` through the forward pass, of any module that torch.fx can trace.

    What it does not know keeps its channels as they are, and all that are tied to them.

    Raises:
        UnsupportedError: the forward pass depends on its values.

    Source: Fang et al. 2023, "DepGraph: Towards Any Structural Pruning" (arXiv:2301.12900), section 3.
    """
    try:
        traced = fx.GraphModule(model, LayerTracer().trace(model))
    except (fx.proxy.TraceError, TypeError) as error:
        raise UnsupportedError(
            "the forward pass depends on its values, and channels cannot be followed", got=type(model).__name__
        ) from error
    ShapeProp(traced).propagate(images[:1])
    groups = ChannelGroups()
    channels: dict[fx.Node, list[int]] = {}
    for node in traced.graph.nodes:
        if node.op == "output":
            for source in node.all_input_nodes:
                groups.fix(channels.get(source, []), "they are the network's answer")
        else:
            channels[node] = _step(model, node, channels, groups)
    return groups


def _step(model: nn.Module, node: fx.Node, channels: dict[fx.Node, list[int]], groups: ChannelGroups) -> list[int]:
    """The channels that a node gives."""
    inputs = [channels[source] for source in node.all_input_nodes if channels[source]]
    count = _count_channels(node)
    if node.op == "call_module" and len(inputs) == 1:
        given = _pass_module(str(node.target), model.get_submodule(str(node.target)), inputs[0], count, groups)
        if given is not None:
            return given
    elif node.target in _ELEMENTWISE:
        wide = [each for each in inputs if len(each) == count]
        if len(wide) == len(inputs) or all(len(each) in (1, count) for each in inputs):
            for other in wide[1:]:
                groups.tie(wide[0], other)
            return wide[0] if wide else groups.fresh(count)
    elif node.target is torch.cat and concatenation_axis(node) == 1:
        return [channel for each in inputs for channel in each]
    elif (
        (node.target in _KEEPING_FUNCTIONS or node.target in _KEEPING_METHODS)
        and len(inputs) == 1
        and count % len(inputs[0]) == 0
    ):
        return inputs[0]
    for each in inputs:
        groups.fix(each, f"{node.name} reads them in a way that is not known")
    fresh = groups.fresh(count)
    groups.fix(fresh, "they come from outside" if node.op == "placeholder" else f"{node.name} makes them")
    return fresh


def _pass_module(name: str, module: nn.Module, reads: list[int], count: int, groups: ChannelGroups) -> list[int] | None:
    """The channels behind a module; None where it is not known."""
    match module:
        case nn.Conv2d() if module.groups == 1:
            gives = groups.fresh(module.out_channels)
        case nn.Conv2d() if module.groups == module.in_channels:
            each = module.out_channels // module.in_channels
            gives = [channel for channel in reads for _ in range(each)]
        case nn.BatchNorm2d():
            gives = reads
        case nn.Linear() if module.in_features % len(reads) == 0:
            gives = groups.fresh(module.out_features)
        case _:
            has_parameters = any(True for _ in module.parameters())
            return reads if not has_parameters and count and count % len(reads) == 0 else None
    pixels = module.in_features // len(reads) if isinstance(module, nn.Linear) else 1
    known = groups.layers.setdefault(name, LayerChannels(reads, gives, pixels))
    if known.reads is not reads:  # called twice
        groups.tie(known.reads, reads)
        groups.tie(known.gives, gives)
    return known.gives


def _count_channels(node: fx.Node) -> int:
    """Of the tensor that a node gives; 0 where it gives none."""
    meta = node.meta.get("tensor_meta")
    shape: Sequence[int] = getattr(meta, "shape", ())
    return int(shape[1]) if len(shape) > 1 else 0
