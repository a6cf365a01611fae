"""What a phone should run next: the variants of which the lab knows too little, the least known first."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mobisdk.latency.stats import ENOUGH_RUNS
from mobisdk.server.bundles import BundleSummary

TARGET_WIDTH: Final = 0.05
"""A median whose 95 % interval is at most this wide, as a share of it, is known well enough."""
_MOST_RUNS: Final = 20
"""At once: a phone asks again afterwards, with what it then knows."""


@dataclasses.dataclass(frozen=True)
class PlannedBundle:
    """A bundle to run, how often, and why."""

    bundle_id: str
    name: str
    runs: int
    reason: str


def make_plan(bundles: Sequence[BundleSummary], rows: Sequence[Mapping[str, Any]], model: str) -> list[PlannedBundle]:
    """Plan for phones of `model`, from the overview's `rows`; what is known well enough is left out.

    The number of runs is what narrows the interval to `TARGET_WIDTH`, which shrinks with the square root of the runs.
    """
    known: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row["model"] == model and row["mode"] == "burst":
            latest = known.setdefault(row["variant_id"], row)
            if row["last_at"] > latest["last_at"]:
                known[row["variant_id"]] = row
    planned: list[tuple[float, PlannedBundle]] = []
    for bundle in bundles:
        count, width = _state(known.get(bundle.variant_id))
        if count < ENOUGH_RUNS:
            runs, reason = ENOUGH_RUNS - count, f"{count} usable runs; {ENOUGH_RUNS} are wanted"
        elif width > TARGET_WIDTH:
            runs = min(_MOST_RUNS, math.ceil(count * ((width / TARGET_WIDTH) ** 2 - 1)))
            reason = f"the median's interval is {100 * width:.1f} % wide; {100 * TARGET_WIDTH:.0f} % is wanted"
        else:
            continue
        urgency = math.inf if count == 0 else 1000 - count if count < ENOUGH_RUNS else width
        planned.append((urgency, PlannedBundle(bundle.bundle_id, bundle.name, runs, reason)))
    planned.sort(key=lambda entry: (-entry[0], entry[1].name))
    return [bundle for _, bundle in planned]


def _state(row: Mapping[str, Any] | None) -> tuple[int, float]:
    """Usable runs, and the width of the median's interval as a share of it."""
    if row is None:
        return 0, math.inf
    median = row.get("p50")
    if median is None or median["low_ms"] is None or not median["ms"]:
        return row["used"], math.inf
    return row["used"], (median["high_ms"] - median["low_ms"]) / median["ms"]
