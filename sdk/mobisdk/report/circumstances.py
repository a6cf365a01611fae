"""How a device's figures were measured, as terms and what there is to say of each."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute

from mobisdk.latency.analysis import GroupReport
from mobisdk.latency.stats import COVERAGE_PERCENT
from mobisdk.report.labels import Row, runtime_label, threads_label
from mobisdk.report.printable import printable

pc: Any = pyarrow.compute
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


def describe_circumstances(groups: Sequence[GroupReport], runs: pa.Table) -> list[tuple[str, str]]:
    """Say what ran, when and in which state of the device; what no run says is left out."""
    days = pc.min_max(pc.utf8_slice_codeunits(runs["started_at"], 0, 10)).as_py()
    modes = pc.value_counts(runs["mode"].combine_chunks()).to_pylist()
    samples = pc.sum(pc.list_value_length(runs["inference_ns"])).as_py()
    told_modes = ", ".join(f"{mode['counts']:,} {mode['values']}" for mode in modes)
    facts = [
        ("measured", _between(days["min"], days["max"])),
        ("runs", f"{told_modes}; {samples:,} samples"),
        ("app", _list(f"{name} {version}" for name, version in _pairs(runs, "app", "name", "version"))),
        ("runtime", _list(map(runtime_label, groups))),
        ("threads", _list(map(threads_label, groups))),
        ("weights", _list(source for group in groups for source in group.weights_sources)),
        (
            "photograph",
            _list(" × ".join(map(str, pair)) for pair in _pairs(runs, "source_image", "width", "height")),
        ),
        ("power", ", ".join(_describe_power(runs))),
        ("heat", ", ".join(_describe_heat(runs))),
        ("golden image", ", ".join(_describe_golden(runs))),
        ("notes", _list((note for note in runs["notes"].to_pylist() if note), most=_MOST_NOTES)),
    ]
    return [(term, told) for term, told in facts if told]


def _values(runs: pa.Table, part: str, name: str) -> list[Any]:
    """What the runs say in one place, those that say something."""
    values: list[Any] = pc.struct_field(runs[part].combine_chunks(), name).drop_null().to_pylist()
    return values


def _pairs(runs: pa.Table, part: str, *names: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(_values(runs, part, name) for name in names), strict=True)


def _describe_power(runs: pa.Table) -> Iterator[str]:
    levels = _values(runs, "conditions", "battery_level")
    if levels:
        yield f"battery {_between(f'{100 * min(levels):.0f}', f'{100 * max(levels):.0f}')} %"
    yield from _count_true("charging", _values(runs, "conditions", "charging"))
    yield from _count_true("low-power mode", _values(runs, "conditions", "low_power_mode"))


def _describe_heat(runs: pa.Table) -> Iterator[str]:
    for when, name in (("at the start", "thermal_before"), ("at the end", "thermal_after")):
        found = set(_values(runs, "conditions", name))
        states = [state for state in _STATES if state in found]
        if states:
            yield f"{_between(states[0], states[-1])} {when}"
    degrees = _values(runs, "conditions", "battery_celsius")
    if degrees:
        yield f"battery at {_between(f'{min(degrees):.0f}', f'{max(degrees):.0f}')} °C"


def _describe_golden(runs: pa.Table) -> Iterator[str]:
    checked = _values(runs, "golden", "passed")
    if checked:
        yield f"passed in {sum(checked):,} of {len(checked):,} runs"


def _count_true(name: str, known: Sequence[bool]) -> Iterator[str]:
    if known:
        yield f"{name} in {sum(known):,} of {len(known):,} runs"


def _between(first: str, last: str) -> str:
    """`fair`, or `nominal to fair`."""
    return first if first == last else f"{first} to {last}"


def _list(texts: Iterable[str], most: int = 10) -> str:
    """Each text once, the first `most` of them."""
    distinct = list(dict.fromkeys(map(printable, texts)))
    return "; ".join(distinct[:most]) + f" and {len(distinct) - most:,} more" * (len(distinct) > most)
