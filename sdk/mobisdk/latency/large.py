"""The analysis of logs of any size, as expressions that an engine runs; `analysis` says what its figures are."""

import dataclasses
import json
from collections import Counter, defaultdict
from typing import Any, Final

import narwhals as nw
import numpy as np
import pyarrow as pa

from mobisdk.errors import DataError
from mobisdk.latency.analysis import (
    EMULATOR,
    FEWEST_PEERS,
    LOW_BATTERY,
    SLIP_REACH,
    UNIT_SLIP,
    AnalysisReport,
    ColdReport,
    GroupReport,
    WarmReport,
    group_order,
)
from mobisdk.latency.engines import Engine
from mobisdk.latency.frames import Figures, estimate_groups, estimate_medians, estimate_percentiles
from mobisdk.latency.record import BundleRef, Device, RuntimeInfo
from mobisdk.latency.stats import Quantile
from mobisdk.latency.tables import LogTables

QUANTILES: Final = (0.5, 0.9, 0.95, 0.99)
_DEVICE: Final = ("platform", "manufacturer", "model", "soc", "os_version", "api_level", "cpu_cores", "is_emulator")
_RUNTIME: Final = ("name", "version", "backend_requested", "compute_units", "threads")
_DESCRIPTION: Final = ("arch", "alpha", "resolution", "recipe", "spec")
"""What a variant's bundles say of it, all the same."""
_TEXT_NULL: Final = "\0"
_NUMBER_NULL: Final = -1
_NUMBERS: Final = ("device_api_level", "device_cpu_cores", "runtime_threads")


def analyze_tables(logs: LogTables, engine: Engine, *, emulators: bool = False) -> AnalysisReport:
    """Report each group as `analysis` does, but for what happens within runs, which looks at them one by one.

    Raises:
        DataError: there is no run.
    """
    runs = engine.runs.select(
        "run_id", "mode", "cache_state", "inference_ns", "preprocess_ns", "postprocess_ns",
        *_key_columns(),
        *(nw.col("bundle").struct.field(name) for name in ("bundle_id", "weights_source", *_DESCRIPTION)),
        load=(nw.col("compile_ns").fill_null(0) + nw.col("load_ns").fill_null(0)),
        first=nw.col("first_inference_ns").fill_null(0),
        reason=_reason(emulators=emulators),
    )  # fmt: skip
    names = [*_key_names(), "mode", "cache_state"]
    # Only cold starts are parted by the state of their cache.
    runs = runs.with_columns(
        cache_state=nw.when(nw.col("mode") == "cold").then(nw.col("cache_state")).otherwise(nw.lit(""))
    )
    found = (
        runs.group_by(*names, "reason", "bundle_id", "weights_source", *_DESCRIPTION)
        .agg(n=nw.len())
        .collect("pyarrow")
        .to_native()
        .sort_by([("n", "descending"), ("bundle_id", "ascending")])
    )
    if not found.num_rows:
        raise DataError("no run in these logs", got=[str(path) for path in logs.files][:3])
    keys = found.group_by(names).aggregate([]).sort_by([(name, "ascending") for name in names])
    keys = keys.append_column("group", pa.array(range(keys.num_rows), pa.int64()))
    numbered = runs.filter(nw.col("reason") == "").join(engine.upload(keys), on=names, how="inner")
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
    return AnalysisReport(
        _assemble(keys.to_pylist(), found.to_pylist(), _Parts(figures, medians, slips)),
        len(logs.files),
        sum(found["n"].to_pylist()),
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


def _key_names() -> list[str]:
    parts = {"device": _DEVICE, "runtime": _RUNTIME, "bundle": ("variant_id",)}
    return [f"{part}_{name}" for part, names in parts.items() for name in names]


def _key_columns() -> list["nw.Expr"]:
    """Everything that keeps runs apart; null, which joins with nothing, becomes a value of its own."""
    columns = []
    for part, names in {"device": _DEVICE, "runtime": _RUNTIME, "bundle": ("variant_id",)}.items():
        for name in names:
            key = f"{part}_{name}"
            column = nw.col(part).struct.field(name)
            if key in _NUMBERS:
                column = column.fill_null(_NUMBER_NULL)
            elif name != "is_emulator":
                column = column.fill_null(_TEXT_NULL)
            columns.append(column.alias(key))
    return columns


def _reason(*, emulators: bool) -> "nw.Expr":
    """Why `analysis` would keep a run apart, as an expression; empty where it would not."""
    conditions, golden = nw.col("conditions").struct.field, nw.col("golden").struct.field
    is_emulator = nw.col("device").struct.field("is_emulator")
    is_low = (conditions("battery_level").fill_null(1.0) < LOW_BATTERY) & ~conditions("charging").fill_null(False)
    reasons = [
        *([] if emulators else [(is_emulator, EMULATOR)]),
        (~golden("passed").fill_null(True), "golden image failed"),
        (conditions("low_power_mode").fill_null(False), "low-power mode"),
        (conditions("thermal_before").fill_null("").is_in(["serious", "critical"]), "hot at the start"),
        (~conditions("foreground").fill_null(True), "left the foreground"),
        (is_low, "low battery"),
    ]
    told = nw.lit("")
    for is_so, reason in reversed(reasons):
        told = nw.when(is_so).then(nw.lit(reason)).otherwise(told)
    return told


def _assemble(keys: list[dict[str, Any]], found: list[dict[str, Any]], parts: _Parts) -> tuple[GroupReport, ...]:
    names = _key_names()
    facts: defaultdict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        facts[tuple(row[name] for name in names)].append(row)
    numbers: defaultdict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in keys:
        numbers[tuple(row[name] for name in names)].append(row)
    groups = []
    for key, rows in facts.items():
        device, runtime, bundle = _read_key(dict(zip(names, key, strict=True)), rows[0])
        warm = [
            _warm(row, parts, _count_reasons(rows, row))
            for row in numbers[key] if row["mode"] != "cold"
        ]  # fmt: skip
        cold = [
            _cold(row, parts, _count_reasons(rows, row))
            for row in numbers[key] if row["mode"] == "cold"
        ]  # fmt: skip
        groups.append(
            GroupReport(
                device, runtime, bundle,
                tuple(sorted({row["bundle_id"] for row in rows})),
                tuple(sorted({row["weights_source"] for row in rows})),
                tuple(sorted(warm, key=lambda each: ("burst", "sustained", "production").index(each.mode))),
                tuple(sorted(cold, key=lambda each: ("cold", "warm", "unknown").index(each.cache_state))),
            )
        )  # fmt: skip
    return tuple(sorted(groups, key=group_order))


def _count_reasons(rows: list[dict[str, Any]], key: dict[str, Any]) -> dict[str, int]:
    """Count the runs of a key by what keeps them apart; by nothing, which is an empty text, the usable ones."""
    counts: defaultdict[str, int] = defaultdict(int, {"": 0})
    for row in rows:
        if (row["mode"], row["cache_state"]) == (key["mode"], key["cache_state"]):
            counts[row["reason"]] += row["n"]
    return dict(counts)


def _read_key(key: dict[str, Any], row: dict[str, Any]) -> tuple[Device, RuntimeInfo, BundleRef]:
    known: dict[str, Any] = {
        name: None if value in (_TEXT_NULL, _NUMBER_NULL) else value for name, value in key.items()
    }
    device, runtime = (
        {name.removeprefix(f"{part}_"): value for name, value in known.items() if name.startswith(f"{part}_")}
        for part in ("device", "runtime")
    )
    bundle = {name: row[name] for name in ("bundle_id", "weights_source", *_DESCRIPTION)}
    bundle["spec"] = json.loads(bundle["spec"]) if bundle["spec"] else None
    return (
        Device(memory_bytes=None, **device),
        RuntimeInfo(**runtime),
        BundleRef(variant_id=key["bundle_variant_id"], **bundle),
    )


def _warm(row: dict[str, Any], parts: _Parts, counts: dict[str, int]) -> WarmReport:
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


def _cold(row: dict[str, Any], parts: _Parts, counts: dict[str, int]) -> ColdReport:
    kept_apart = {reason: count for reason, count in counts.items() if reason}
    load, first = (parts.medians[name].get(row["group"]) for name in ("load", "first_inference"))
    return ColdReport(row["cache_state"], counts[""], kept_apart, load, first)
