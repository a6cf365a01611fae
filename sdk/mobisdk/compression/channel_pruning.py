"""Structured pruning: channels go, through every layer that shares them, and what is left is a smaller network."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mobisdk.compression.channel_groups import ChannelGroups, find_channel_groups
from mobisdk.compression.layer_selection import find_layer, select_layers
from mobisdk.compression.result import SkippedLayer
from mobisdk.compression.technique import ANY_CONSTRAINT, Decision, Outcome, Technique, TechniqueConfig
from mobisdk.errors import ConfigError, DataError
from mobisdk.layers.depthwise import is_depthwise

_LADDER = (0.875, 0.75, 0.625, 0.5, 0.375, 0.25)
_NORM_TENSORS = ("weight", "bias", "running_mean", "running_var")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChannelPruningConfig(TechniqueConfig):
    """Which share of channels stays.

    Source: Li et al. 2016 (arXiv:1608.08710), with the coupled importance of arXiv:2301.12900, section 3.3.
    """

    method = "prune_channels"
    keep: float = 0.7
    """Of every layer's output channels; at 0.7 about half of the multiply-adds are left."""
    multiple: int = 8
    """What is left is rounded to it: what hardware likes."""

    def __post_init__(self) -> None:
        """Check both."""
        super().__post_init__()
        if not isinstance(self.keep, int | float) or not 0 < self.keep < 1:
            raise ConfigError("keep must be a share", got=self.keep, allowed="0 < keep < 1")
        if not isinstance(self.multiple, int) or not 1 <= self.multiple <= 64:
            raise ConfigError("multiple must be a whole number", got=self.multiple, allowed="1 to 64")


def _ladder(config: ChannelPruningConfig) -> tuple[ChannelPruningConfig, ...]:
    return tuple(dataclasses.replace(config, keep=keep) for keep in _LADDER)


def _transform_(model: nn.Module, config: ChannelPruningConfig, images: Tensor) -> Outcome:
    wanted, shared = select_layers(model, config)
    groups = find_channel_groups(model, images)
    importance = measure_importance(model, groups)
    owners: dict[int, list[str]] = {}  # root → the layers that make its channels
    for name, channels in groups.layers.items():
        if isinstance(model.get_submodule(name), nn.Conv2d | nn.Linear) and channels.gives != channels.reads:
            for root in dict.fromkeys(map(groups.root, channels.gives)):
                owners.setdefault(root, []).append(name)
    families: dict[tuple[str, ...], list[int]] = {}  # layers that make the same channels → these
    for root, makers in owners.items():
        families.setdefault(tuple(makers), []).append(root)

    cut: set[int] = set()
    skipped = list(shared)
    seen: set[str] = set()
    for names, roots in families.items():
        leader = names[0]
        if leader not in wanted or leader in seen:
            continue
        seen.add(leader)
        loose = [root for root in roots if root not in groups.fixed]
        count = max(config.multiple, round(config.keep * len(roots) / config.multiple) * config.multiple)
        if not loose:
            skipped.append(SkippedLayer(leader, f"its channels stay: {groups.fixed[roots[0]]}"))
        elif len(loose) < len(roots):
            skipped.append(SkippedLayer(leader, "some of its channels are tied to others that stay"))
        elif count >= len(roots):
            skipped.append(SkippedLayer(leader, f"its {len(roots)} channels are {count} when rounded"))
        else:
            cut |= set(sorted(roots, key=lambda root: (importance[root], root))[: len(roots) - count])
    decisions = remove_channels_(model, groups, cut)
    skipped += [
        SkippedLayer(name, "its channels are those of a layer before it, which decides")
        for name in wanted
        if name not in seen and name not in decisions
    ]
    return Outcome(decisions, tuple(skipped))


def measure_importance(model: nn.Module, groups: ChannelGroups) -> dict[int, float]:
    """Root → the mean over its layers of the squared weights that make or read it, by the layer's average channel."""
    sums: dict[int, list[float]] = {}
    for name, channels in groups.layers.items():
        layer = model.get_submodule(name)
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        squares = layer.weight.detach().double().square()
        sides = [(squares.flatten(1).sum(1), channels.gives)]
        if not is_depthwise(layer):
            by_channel = squares.transpose(0, 1).flatten(1).sum(1).reshape(len(channels.reads), channels.pixels).sum(1)
            sides.append((by_channel, channels.reads))
        for values, numbers in sides:
            relative = (values / values.mean().clamp(min=1e-30)).tolist()
            for value, channel in zip(relative, numbers, strict=True):
                sums.setdefault(groups.root(channel), []).append(value)
    return {root: sum(values) / len(values) for root, values in sums.items()}


def remove_channels_(model: nn.Module, groups: ChannelGroups, cut: set[int]) -> dict[str, Decision]:
    """Take the channels of these groups out of every layer that has them; gives what became of each layer."""
    decisions = {}
    for name, channels in groups.layers.items():
        reads = [place for place, channel in enumerate(channels.reads) if groups.root(channel) not in cut]
        gives = [place for place, channel in enumerate(channels.gives) if groups.root(channel) not in cut]
        if len(reads) == len(channels.reads) and len(gives) == len(channels.gives):
            continue
        layer = model.get_submodule(name)
        if isinstance(layer, nn.BatchNorm2d):
            for part in _NORM_TENSORS:
                _keep_(layer, part, gives)
            layer.num_features = len(gives)
            decisions[name] = Decision(f"{len(channels.gives)} → {len(gives)} channels", {"features": len(gives)})
            continue
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        columns = [place * channels.pixels + pixel for place in reads for pixel in range(channels.pixels)]
        _keep_(layer, "weight", gives, None if is_depthwise(layer) else columns)
        _keep_(layer, "bias", gives)
        sizes = _resize_(layer, len(columns), len(gives))
        shown = f"{len(channels.reads)} → {len(channels.gives)}", f"{len(reads)} → {len(gives)}"
        decisions[name] = Decision(f"channels {shown[0]} became {shown[1]}", sizes)
    return decisions


def _keep_(layer: nn.Module, part: str, rows: list[int], columns: list[int] | None = None) -> None:
    tensor = getattr(layer, part)
    if tensor is None:
        return
    kept = tensor.detach()[rows] if columns is None else tensor.detach()[rows][:, columns]
    setattr(layer, part, nn.Parameter(kept.clone()) if isinstance(tensor, nn.Parameter) else kept.clone())


def _resize_(layer: nn.Conv2d | nn.Linear, ins: int, outs: int) -> dict[str, Any]:
    """Tell the layer its own widths."""
    if isinstance(layer, nn.Linear):
        layer.in_features, layer.out_features = ins, outs
    else:
        layer.groups = ins if layer.groups > 1 else 1
        layer.in_channels, layer.out_channels = ins, outs
    return {"in": ins, "out": outs}


def _restructure_(model: nn.Module, layers: Mapping[str, Any]) -> None:
    for name, sizes in layers.items():
        if "features" in sizes:
            norm = model.get_submodule(name)
            if not isinstance(norm, nn.BatchNorm2d):
                raise DataError("the network has no such norm", got=name)
            kept = _first(sizes["features"], norm.num_features, name)
            for part in _NORM_TENSORS:
                _keep_(norm, part, kept)
            norm.num_features = len(kept)
            continue
        layer = find_layer(model, name)
        depthwise = isinstance(layer, nn.Conv2d) and layer.groups > 1
        ins, outs = (
            (layer.in_features, layer.out_features)
            if isinstance(layer, nn.Linear)
            else (layer.in_channels, layer.out_channels)
        )
        rows, columns = _first(sizes["out"], outs, name), _first(sizes["in"], ins, name)
        _keep_(layer, "weight", rows, None if depthwise else columns)
        _keep_(layer, "bias", rows)
        _resize_(layer, len(columns), len(rows))


def _first(count: Any, of: int, name: str) -> list[int]:
    if not isinstance(count, int) or not 1 <= count <= of:
        raise DataError(f"{name} has not so many channels", got=count, allowed=f"1 to {of}")
    return list(range(count))


TECHNIQUE = Technique(ChannelPruningConfig, _transform_, _restructure_, ladder=_ladder, clashes=ANY_CONSTRAINT)
