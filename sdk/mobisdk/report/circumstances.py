"""How a device's figures were measured, as terms and what there is to say of each."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from mobisdk.latency.analysis import GroupReport
from mobisdk.latency.record import LatencyRun
from mobisdk.latency.stats import COVERAGE_PERCENT
from mobisdk.report.labels import Row, runtime_label, threads_label
from mobisdk.report.printable import printable

_MOST_NOTES = 5
_STATES = ("nominal", "fair", "serious", "critical")


def describe_kept_apart(groups: Iterable[GroupReport]) -> str:
    """Say which runs the figures leave out, and why."""
    counts: Counter[str] = Counter()
    for group in groups:
        for kept_apart in (*(warm.kept_apart for warm in group.warm), *(cold.kept_apart for cold in group.cold)):
            counts.update(kept_apart)
    return ", ".join(f"{reason} ({count})" for reason, count in sorted(counts.items()))


def describe_coverage(rows: Iterable[Row]) -> str:
    """Say what the intervals of few runs hold, where some of `rows` have one; nothing where none has."""
    found = {warm.runs for _, warm in rows if warm and warm.p50 and warm.p50.low_ns is not None}
    counts = sorted(found & COVERAGE_PERCENT.keys())
    told = [f"{low} to {high} % ({runs} runs)" for runs in counts for low, high in [COVERAGE_PERCENT[runs]]]
    return f"Simulated intervals held the true median in {', '.join(told)} of cases" if told else ""


def describe_circumstances(groups: Sequence[GroupReport], runs: Sequence[LatencyRun]) -> list[tuple[str, str]]:
    """Say what ran, when and in which state of the device; what no run says is left out."""
    days = [run.started_at[:10] for run in runs]
    modes = Counter(run.mode for run in runs)
    samples = sum(run.inference_ns.size for run in runs)
    facts = [
        ("measured", _between(min(days), max(days))),
        ("runs", ", ".join(f"{count:,} {mode}" for mode, count in modes.items()) + f"; {samples:,} samples"),
        ("app", _list(f"{run.app.name} {run.app.version}" for run in runs)),
        ("runtime", _list(map(runtime_label, groups))),
        ("threads", _list(map(threads_label, groups))),
        ("weights", _list(source for group in groups for source in group.weights_sources)),
        ("photograph", _list(f"{image.width} × {image.height}" for run in runs if (image := run.source_image))),
        ("power", ", ".join(_describe_power(runs))),
        ("heat", ", ".join(_describe_heat(runs))),
        ("golden image", ", ".join(_describe_golden(runs))),
        ("notes", _list((run.notes for run in runs if run.notes), most=_MOST_NOTES)),
    ]
    return [(term, told) for term, told in facts if told]


def _describe_power(runs: Sequence[LatencyRun]) -> Iterator[str]:
    levels = [run.conditions.battery_level for run in runs if run.conditions.battery_level is not None]
    if levels:
        yield f"battery {_between(f'{100 * min(levels):.0f}', f'{100 * max(levels):.0f}')} %"
    yield from _count_true("charging", [run.conditions.charging for run in runs])
    yield from _count_true("low-power mode", [run.conditions.low_power_mode for run in runs])


def _describe_heat(runs: Sequence[LatencyRun]) -> Iterator[str]:
    for when, found in (
        ("at the start", {run.conditions.thermal_before for run in runs}),
        ("at the end", {run.conditions.thermal_after for run in runs}),
    ):
        states = [state for state in _STATES if state in found]
        if states:
            yield f"{_between(states[0], states[-1])} {when}"
    degrees = [run.conditions.battery_celsius for run in runs if run.conditions.battery_celsius is not None]
    if degrees:
        yield f"battery at {_between(f'{min(degrees):.0f}', f'{max(degrees):.0f}')} °C"


def _describe_golden(runs: Sequence[LatencyRun]) -> Iterator[str]:
    checked = [run.golden.passed for run in runs if run.golden is not None]
    if checked:
        yield f"passed in {sum(checked):,} of {len(checked):,} runs"


def _count_true(name: str, found: Sequence[bool | None]) -> Iterator[str]:
    known = [value for value in found if value is not None]
    if known:
        yield f"{name} in {sum(known):,} of {len(known):,} runs"


def _between(first: str, last: str) -> str:
    """`fair`, or `nominal to fair`."""
    return first if first == last else f"{first} to {last}"


def _list(texts: Iterable[str], most: int = 10) -> str:
    """Each text once, the first `most` of them."""
    distinct = list(dict.fromkeys(map(printable, texts)))
    return "; ".join(distinct[:most]) + f" and {len(distinct) - most:,} more" * (len(distinct) > most)
