"""A total target decides how far each layer is compressed: the least sensitive ones first and furthest."""

import copy
import dataclasses
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from mobisdk.compression.compress import compress_
from mobisdk.compression.result import CompressionResult
from mobisdk.compression.sensitivity import LayerSensitivity, measure_sensitivity
from mobisdk.compression.technique import TechniqueConfig, find_technique
from mobisdk.errors import ConfigError

Evaluate = Callable[[nn.Module], float]
"""Gives the share of held-out images that a network names right."""


@dataclasses.dataclass(frozen=True)
class Target:
    """One of three totals.

    Raises:
        ConfigError: not exactly one is given, or it is not positive.
    """

    size_bytes: int | None = None
    """Of all weights, as they are stored."""
    macs: int | None = None
    max_drop: float | None = None
    """Percentage points of accuracy, before any fine-tuning."""

    def __post_init__(self) -> None:
        """Check that there is one."""
        given = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        if len(given) != 1:
            raise ConfigError("a target is one of size, multiply-adds and drop", got=sorted(given) or None)
        if next(iter(given.values())) <= 0:
            raise ConfigError("a target must be positive", got=given)


def reach_target_(
    module: nn.Module,
    config: TechniqueConfig,
    target: Target,
    *,
    images: Tensor,
    evaluate: Evaluate | None = None,
    on_layer: Callable[[int, int], None] | None = None,
) -> tuple[tuple[CompressionResult, ...], tuple[LayerSensitivity, ...]]:
    """Compress `module` in place to the target: one result for every setting that some layers got, and what was found.

    Raises:
        ConfigError: no setting reaches the target, and the nearest is said; the technique has no ladder of settings;
            a drop is to be kept and there is nothing to evaluate with. The module is then as it was.
    """
    ladder = find_technique(config.method).ladder(config)
    if not ladder:
        raise ConfigError(f"{config.method} has no setting that a target could decide")
    found = measure_sensitivity(module, ladder, images=images, on_layer=on_layer)
    moves = order_moves(found, by_macs=target.macs is not None)
    if not moves:
        raise ConfigError(f"{config.method} finds no layer that it makes smaller")
    count = (
        _count_for_drop(module, moves, target.max_drop, images, evaluate)
        if target.max_drop is not None
        else _count_for_total(module, moves, target, images)
    )
    return apply_moves_(module, moves[:count], images), found


def order_moves(found: Sequence[LayerSensitivity], *, by_macs: bool) -> list[LayerSensitivity]:
    """Steps from setting to setting, the least divergence for what is saved first.

    A layer's own steps stay in their order; a step that saves nothing more than the one before is left out.
    """
    pending: dict[str, list[LayerSensitivity]] = {}
    for step in found:
        steps = pending.setdefault(step.name, [])
        if _saved(step, by_macs) > (_saved(steps[-1], by_macs) if steps else 0):
            steps.append(step)
    pending = {name: steps for name, steps in pending.items() if steps}
    reached: dict[str, LayerSensitivity] = {}
    moves = []
    while pending:

        def price(name: str) -> float:
            step, last = pending[name][0], reached.get(name)
            more = _saved(step, by_macs) - (_saved(last, by_macs) if last else 0)
            return max(0.0, step.divergence - (last.divergence if last else 0.0)) / more

        name = min(pending, key=price)
        reached[name] = pending[name].pop(0)
        moves.append(reached[name])
        if not pending[name]:
            del pending[name]
    return moves


def apply_moves_(module: nn.Module, moves: Sequence[LayerSensitivity], images: Tensor) -> tuple[CompressionResult, ...]:
    """Give every layer the last setting that `moves` have for it, layers of one setting together."""
    settings = {move.name: dataclasses.replace(move.config, layers=None) for move in moves}
    results = []
    for config in dict.fromkeys(settings.values()):
        names = tuple(name for name, own in settings.items() if own == config)
        results.append(compress_(module, dataclasses.replace(config, layers=names), images=images))
    return tuple(results)


def _saved(step: LayerSensitivity, by_macs: bool) -> int:
    return step.macs_saved if by_macs else step.bytes_saved


def _count_for_total(module: nn.Module, moves: Sequence[LayerSensitivity], target: Target, images: Tensor) -> int:
    """The fewest moves that reach it, measured on a copy: what layers save alone need not add up."""
    by_macs = target.macs is not None
    wanted = target.macs if by_macs else target.size_bytes

    def total(count: int) -> int:
        results = apply_moves_(copy.deepcopy(module), moves[:count], images)
        return results[-1].macs_after if by_macs else results[-1].size_bytes_after

    reached = total(len(moves))
    if wanted is None or reached > wanted:
        unit, divisor = ("million multiply-adds", 1e6) if by_macs else ("MB", 1e6)
        raise ConfigError(
            "no setting of this technique reaches the target",
            got=f"{(wanted or 0) / divisor:.4g} {unit}",
            allowed=f"the nearest is {reached / divisor:.4g} {unit}",
            hint="Chain techniques with --method a,b, or take a smaller network",
        )
    return _bisect(1, len(moves), lambda count: total(count) <= wanted)


def _count_for_drop(
    module: nn.Module,
    moves: Sequence[LayerSensitivity],
    max_drop: float,
    images: Tensor,
    evaluate: Evaluate | None,
) -> int:
    """The most moves that keep the accuracy."""
    if evaluate is None:
        raise ConfigError("a largest drop needs labelled images to measure it on", hint="Name them with --data")
    before = evaluate(module)
    drops: dict[int, float] = {}

    def falls_too_far(count: int) -> bool:
        changed = copy.deepcopy(module)
        apply_moves_(changed, moves[:count], images)
        drops[count] = 100 * (before - evaluate(changed))
        return drops[count] > max_drop

    if not falls_too_far(len(moves)):
        return len(moves)
    count = _bisect(1, len(moves), falls_too_far) - 1
    if count == 0:
        raise ConfigError(
            "no setting keeps the accuracy",
            got=f"at most {max_drop:g} points lost",
            allowed=f"the nearest loses {drops[1]:.2f}",
            hint="Fine-tuning makes up for much: give --target-macs or --target-size-mb with --finetune-epochs",
        )
    return count


def _bisect(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The smallest count for which it holds, where it holds for `high` and every larger count than one."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
