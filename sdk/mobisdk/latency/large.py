"""The analysis of logs of any size, as expressions that an engine runs; `analysis` says what its figures are."""

import dataclasses
from collections import Counter
from functools import partial
from typing import Any, Final

import narwhals as nw
import numpy as np
import pyarrow as pa

from mobisdk.errors import DataError
from mobisdk.latency.analysis import (
    FEWEST_PEERS,
    SLIP_REACH,
    UNIT_SLIP,
    AnalysisReport,
    ColdReport,
    WarmReport,
)
from mobisdk.latency.engines import Engine
from mobisdk.latency.frames import Figures, estimate_groups, estimate_medians, estimate_percentiles
from mobisdk.latency.groups import NAMES, Row, assemble, describe_runs, find_groups
from mobisdk.latency.stats import Quantile
from mobisdk.latency.store import LogSet

QUANTILES: Final = (0.5, 0.9, 0.95, 0.99)


def analyze_tables(logs: LogSet, engine: Engine, *, emulators: bool = False) -> AnalysisReport:
    """Report each group as `analysis` does, but for what happens within runs, which looks at them one by one.

    Raises:
        DataError: there is no run.
    """
    runs = describe_runs(engine.runs, "run_id", "inference_ns", "preprocess_ns", "postprocess_ns", emulators=emulators)
    found, keys = find_groups(runs)
    if not found.num_rows:
        raise DataError("no run in these logs", got=[str(path) for path in logs.files][:3])
    numbered = runs.filter(nw.col("reason") == "").join(engine.upload(keys), on=NAMES, how="inner")
    numbered = engine.keep(
        numbered.select(
            "group", "mode", "inference_ns", "preprocess_ns", "postprocess_ns", "load", "first", run=nw.col("run_id")
        )
    )
    warm, slips = _part_unit_slips(numbered.filter(nw.col("mode") != "cold"), engine)
    figures = estimate_groups(
        engine.explode(warm.select("group", "run", ns=nw.col("inference_ns"))), engine.upload, QUANTILES
    )
    medians = _estimate_medians(warm, numbered.filter(nw.col("mode") == "cold"), engine)
    parts = _Parts(figures, medians, slips)
    return AnalysisReport(
        assemble(found, keys, partial(_warm, parts), partial(_cold, parts)),
        len(logs.files),
        int(np.sum(found["n"].to_numpy())),
        logs.duplicates,
        logs.set_aside,
    )


@dataclasses.dataclass(frozen=True)
class _Parts:
    """What was computed, by group."""

    warm: dict[int, Figures]
    medians: dict[str, dict[int, Quantile]]
    """Of the phases, and of cold starts: by name and group."""
    slips: dict[int, int]
    """Runs whose unit slipped."""


def _part_unit_slips(warm: "nw.LazyFrame[Any]", engine: Engine) -> tuple["nw.LazyFrame[Any]", dict[int, int]]:
    """Leave out runs whose median is off their group's by a thousand, and count them; nearly always there is none."""
    medians = engine.hold(warm.select("group", "run", ns=nw.col("inference_ns").list.median().cast(nw.Int64)))
    groups, values = estimate_percentiles(medians, engine.upload, (0.5,))
    if not groups.size:
        return warm, {}
    centers = engine.upload(pa.table({"group": groups, "center": np.log10(np.maximum(values[0.5], 1))}))
    peers = medians.group_by("group").agg(peers=nw.len()).filter(nw.col("peers") >= FEWEST_PEERS)
    log = nw.when(nw.col("ns") > 1).then(nw.col("ns")).otherwise(nw.lit(1)).cast(nw.Float64).log(base=10)
    off = (log - nw.col("center")).abs()
    is_slip = ((off - 3).abs() < SLIP_REACH) | ((off - 6).abs() < SLIP_REACH)
    slipped = (
        medians.join(centers, on="group", how="inner")
        .filter(is_slip)
        .join(peers, on="group", how="inner")
        .select("group", "run")
        .collect("pyarrow")
        .to_native()
    )
    if not slipped.num_rows:
        return warm, {}
    usable = warm.join(engine.upload(slipped.select(["run"])), on="run", how="anti")
    return usable, dict(Counter(slipped["group"].to_pylist()))


def _estimate_medians(
    warm: "nw.LazyFrame[Any]", cold: "nw.LazyFrame[Any]", engine: Engine
) -> dict[str, dict[int, Quantile]]:
    """Medians of the phases and of cold starts, all in the same passes: a group's number says which is which.

    The phases together have one where every run of a group recorded the first.
    """
    fewest = (
        warm.select("group", fewest=nw.col("preprocess_ns").list.len()).group_by("group").agg(nw.col("fewest").min())
    )
    complete = fewest.filter(nw.col("fewest") > 0).select("group")
    lists = {"ns": nw.col("inference_ns"), "before": nw.col("preprocess_ns"), "after": nw.col("postprocess_ns")}
    whole = warm.select("group", "run", **lists).join(complete, on="group", how="inner")
    parts = {
        "preprocess": engine.explode(warm.select("group", "run", ns=nw.col("preprocess_ns"))),
        "postprocess": engine.explode(warm.select("group", "run", ns=nw.col("postprocess_ns"))),
        "end_to_end": engine.explode(engine.add_lists(whole)),
        "load": cold.select("group", "run", ns=nw.col("load")),
        "first_inference": cold.select("group", "run", ns=nw.col("first")),
    }
    numbered = [
        part.select("run", group=nw.col("group") * len(parts) + place, ns=nw.col("ns").cast(nw.Int64))
        for place, part in enumerate(parts.values())
    ]
    medians: dict[str, dict[int, Quantile]] = {name: {} for name in parts}
    names = list(parts)
    for number, median in estimate_medians(engine.keep(nw.concat(numbered)), engine.upload).items():
        group, place = divmod(number, len(parts))
        medians[names[place]][group] = median
    return medians


def _warm(parts: _Parts, row: Row, counts: dict[str, int]) -> WarmReport:
    group = row["group"]
    figures, slips = parts.warm.get(group), parts.slips.get(group)
    kept_apart = {reason: count for reason, count in counts.items() if reason}
    quantiles = figures.quantiles if figures else {}
    return WarmReport(
        mode=row["mode"],
        runs=figures.runs if figures else 0,
        samples=figures.samples if figures else 0,
        kept_apart=kept_apart | ({UNIT_SLIP: slips} if slips else {}),
        **{f"p{round(100 * q)}": quantiles.get(q) for q in QUANTILES},
        mean_ns=figures.mean_ns if figures else None,
        mad_ns=figures.mad_ns if figures else None,
        **{name: parts.medians[name].get(group) for name in ("preprocess", "postprocess", "end_to_end")},
        course=None,
        inference_ns=(),
    )


def _cold(parts: _Parts, row: Row, counts: dict[str, int]) -> ColdReport:
    kept_apart = {reason: count for reason, count in counts.items() if reason}
    load, first = (parts.medians[name].get(row["group"]) for name in ("load", "first_inference"))
    return ColdReport(row["cache_state"], counts[""], kept_apart, load, first)
