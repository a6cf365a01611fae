"""What a phone should run next: the variants of which the lab knows too little, the least known first."""

import collections
import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from mobisdk.latency.stats import ENOUGH_RUNS
from mobisdk.latency.threads import choose_threads
from mobisdk.server.bundles import BundleSummary

TARGET_WIDTH: Final = 0.05
"""A median whose 95 % interval is at most this wide, as a share of it, is known well enough."""
_MOST_RUNS: Final = 20
"""At once: a phone asks again afterwards, with what it then knows."""


@dataclasses.dataclass(frozen=True)
class PlannedBundle:
    """A bundle to run, how often, with how many threads, and why."""

    bundle_id: str
    name: str
    runs: int
    threads: int | None
    """The count that is fastest on this phone; null where no two were compared there: the app's own."""
    reason: str


def make_plan(bundles: Sequence[BundleSummary], rows: Sequence[Mapping[str, Any]], model: str) -> list[PlannedBundle]:
    """Plan for phones of `model`, from the overview's `rows`; what is known well enough is left out.

    The number of runs is what narrows the interval to `TARGET_WIDTH`, which shrinks with the square root of the runs.
    """
    known = _latest_rows(rows, model)
    fastest = {variant: choose_threads(medians) for variant in known if len(medians := _medians(known[variant])) > 1}
    usual = _most_common(fastest.values())
    planned: list[tuple[float, PlannedBundle]] = []
    for bundle in bundles:
        by_threads = known.get(bundle.variant_id, {})
        threads = fastest.get(bundle.variant_id, usual)
        latest = max(by_threads.values(), key=lambda row: int(row["last_at"]), default=None)
        count, width = _state(latest if threads is None else by_threads.get(threads))
        if count < ENOUGH_RUNS:
            runs, reason = ENOUGH_RUNS - count, f"{count} usable runs; {ENOUGH_RUNS} are wanted"
        elif width > TARGET_WIDTH:
            runs = min(_MOST_RUNS, math.ceil(count * ((width / TARGET_WIDTH) ** 2 - 1)))
            reason = f"the median's interval is {100 * width:.1f} % wide; {100 * TARGET_WIDTH:.0f} % is wanted"
        else:
            continue
        if threads is not None:
            reason += f"; {threads} thread{'s are' if threads > 1 else ' is'} fastest here"
        urgency = math.inf if count == 0 else 1000 - count if count < ENOUGH_RUNS else width
        planned.append((urgency, PlannedBundle(bundle.bundle_id, bundle.name, runs, threads, reason)))
    planned.sort(key=lambda entry: (-entry[0], entry[1].name))
    return [bundle for _, bundle in planned]


def _latest_rows(rows: Sequence[Mapping[str, Any]], model: str) -> dict[str, dict[int | None, Mapping[str, Any]]]:
    """Of each variant and thread count, the row that was added to last."""
    known: dict[str, dict[int | None, Mapping[str, Any]]] = {}
    for row in rows:
        if row["model"] == model and row["mode"] == "burst":
            by_threads = known.setdefault(row["variant_id"], {})
            latest = by_threads.setdefault(row["thread_count"], row)
            if row["last_at"] > latest["last_at"]:
                by_threads[row["thread_count"]] = row
    return known


def _medians(by_threads: Mapping[int | None, Mapping[str, Any]]) -> dict[int, float]:
    return {threads: row["p50"]["ms"] for threads, row in by_threads.items() if threads is not None and row.get("p50")}


def _most_common(counts: Iterable[int]) -> int | None:
    """The count that is fastest for most variants, the smallest of several."""
    found = collections.Counter(counts)
    return min(found, key=lambda count: (-found[count], count), default=None)


def _state(row: Mapping[str, Any] | None) -> tuple[int, float]:
    """Usable runs, and the width of the median's interval as a share of it."""
    if row is None:
        return 0, math.inf
    median = row.get("p50")
    if median is None or median["low_ms"] is None or not median["ms"]:
        return row["used"], math.inf
    return row["used"], (median["high_ms"] - median["low_ms"]) / median["ms"]
