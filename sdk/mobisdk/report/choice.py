"""The answer of `choose` as a table, in sentences and as JSON, with the commands that come next."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from mobisdk.latency.choose import Budget, Candidate, Choice, LatencyAt
from mobisdk.report.printable import printable
from mobisdk.specs import ModelSpec

SCHEMA: Final = "mobisdk.choice/1"
_FRONT_ROWS: Final = 7


def to_document(choice: Choice, budget: Budget, data: str) -> dict[str, Any]:
    """Return the JSON document of one choice; `data` is what to train on."""
    best = choice.winner
    return {
        "schema": SCHEMA,
        "budget": dataclasses.asdict(budget),
        "candidates": choice.candidates,
        "winner": _candidate(best) if best else None,
        "runners_up": [_candidate(each) for each in choice.runners_up],
        "pareto_front": [_candidate(each) for each in choice.front],
        "nearest": _candidate(choice.nearest) | {"lacks": choice.nearest.lacks(budget)} if choice.nearest else None,
        "to_measure": [_candidate(each) | {"commands": list(commands_to_measure(each))} for each in choice.to_measure],
        "unknown_recipes": list(choice.unknown_recipes),
        "commands": list(commands_to_ship(best, data)) if best else [],
    }


def explain_choice(choice: Choice, budget: Budget) -> Iterator[str]:
    """Say what was chosen, how sure that is, and what would make it surer."""
    if choice.winner is None:
        nearest = choice.nearest
        if nearest is not None:
            yield (
                f"Nothing fits this budget. Nearest is {nearest.spec.name} as {nearest.recipe}: "
                f"{'; '.join(nearest.lacks(budget))}."
            )
    else:
        best = choice.winner
        yield (
            f"{best.spec.name} as {best.recipe}: {_accuracy(best)}, "
            f"{'; '.join(_latency(latency, several=len(best.latencies) > 1) for latency in best.latencies)}, "
            f"{best.size_mb:.2f} MB of weights."
        )
        if not best.surely_fits(budget):
            yield "Its interval reaches beyond the budget: more runs of it would tell."
        for caution in dict.fromkeys(caution for latency in best.latencies for caution in latency.cautions):
            yield f"Mind: {caution}."
    if choice.to_measure:
        named = " and ".join(f"{each.spec.name} as {each.recipe}" for each in choice.to_measure)
        yield f"To be surer, measure {named}:"
    for recipe in choice.unknown_recipes:
        yield f"Left out: {recipe}, whose accuracy is not known. `mobisdk evaluate BUNDLE --data DATA --json` tells it."


def commands_to_ship(candidate: Candidate, data: str) -> tuple[str, str]:
    """Train and export it."""
    return (
        f"mobisdk train --data {data} {_network(candidate.spec)}",
        f"mobisdk export --target {_target(candidate)} {_network(candidate.spec)} --recipe {candidate.recipe}",
    )


def commands_to_measure(candidate: Candidate) -> tuple[str, str]:
    """Export it untrained, since latency does not depend on weights, and run it."""
    export = f"mobisdk export --target {_target(candidate)} {_network(candidate.spec)} --recipe {candidate.recipe}"
    return f"{export} --untrained", "mobisdk serve   # or, for this computer: mobisdk bench BUNDLE"


def build_choice_table(choice: Choice) -> Table:
    """The winner, the runners-up and the front about them, the most accurate first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("", "network", "right %", "ms", "MB"):
        table.add_column(name, justify="left" if name in ("", "network") else "right", no_wrap=name != "network")
    ranks = {id(each): "runner-up" for each in choice.runners_up}
    ranks |= {id(each): "winner" for each in [choice.winner] if each} | {
        id(each): "nearest" for each in [choice.nearest] if each
    }
    best = choice.winner or choice.nearest
    near = sorted(choice.front, key=lambda each: abs(each.worst.ms - best.worst.ms) if best else 0.0)[:_FRONT_ROWS]
    shown = {id(each): each for each in (best, *choice.runners_up, *near) if each}
    for each in sorted(shown.values(), key=lambda each: -each.accuracy.share):
        mark = "~" if each.accuracy.is_interpolated else ""
        table.add_row(
            ranks.get(id(each), "front"),
            Text(f"{each.spec.name} {printable(each.recipe)}"),
            f"{mark}{100 * each.accuracy.share:.1f}",
            _figure(each.worst),
            f"{each.size_mb:.2f}",
        )
    return table


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        **{name: getattr(candidate.spec, name) for name in ("arch", "alpha", "resolution")},
        "spec": dataclasses.asdict(candidate.spec),
        "recipe": candidate.recipe,
        "accuracy": candidate.accuracy.share,
        "accuracy_is_interpolated": candidate.accuracy.is_interpolated,
        "size_mb": candidate.size_mb,
        "latency_ms": candidate.worst.ms,
        "latencies": [
            {
                "device": latency.setting.device,
                "runtime": latency.setting.runtime,
                "threads": latency.setting.threads,
                "latency_ms": latency.ms,
                "low_ms": latency.low_ms,
                "high_ms": latency.high_ms,
                "source": latency.source,
                "cautions": list(latency.cautions),
            }
            for latency in candidate.latencies
        ],
    }


def _accuracy(candidate: Candidate) -> str:
    share = f"{100 * candidate.accuracy.share:.1f} % right"
    return f"{share} (interpolated)" if candidate.accuracy.is_interpolated else share


def _latency(latency: LatencyAt, *, several: bool) -> str:
    where = f" on {printable(latency.setting.device)}" if several else ""
    return f"{_figure(latency)} ms {latency.source}{where}"


def _figure(latency: LatencyAt) -> str:
    mark = "~" if latency.source == "predicted" else ""
    if latency.low_ms is None or latency.high_ms is None:
        return f"{mark}{latency.ms:.3g}"
    return f"{mark}{latency.ms:.3g} [{latency.low_ms:.3g}, {latency.high_ms:.3g}]"


def _network(spec: ModelSpec) -> str:
    usual = ModelSpec()
    further: Sequence[str] = [
        f"--{name.replace('_', '-')} {getattr(spec, name)}" for name in ("stem_stride", "width_divisor")
        if getattr(spec, name) != getattr(usual, name)
    ]  # fmt: skip
    return " ".join([f"--arch {spec.arch} --alpha {spec.alpha:g} --resolution {spec.resolution}", *further])


def _target(candidate: Candidate) -> str:
    return "ios" if candidate.recipe.startswith("coreml") else "android"
