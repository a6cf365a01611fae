"""The analysis of logs of any size, as expressions that an engine runs; `analysis` says what its figures are."""

import json
from collections import defaultdict
from typing import Any, Final, Literal

import narwhals as nw
import pyarrow as pa

from mobisdk.errors import DataError
from mobisdk.latency.analysis import LOW_BATTERY, AnalysisReport, ColdReport, GroupReport, WarmReport, group_order
from mobisdk.latency.engines import Engine
from mobisdk.latency.frames import Figures, estimate_groups
from mobisdk.latency.record import BundleRef, Device, RuntimeInfo
from mobisdk.latency.tables import LogTables

QUANTILES: Final = (0.5, 0.9, 0.95, 0.99)
_DEVICE: Final = ("platform", "manufacturer", "model", "soc", "os_version", "api_level", "cpu_cores", "is_emulator")
_RUNTIME: Final = ("name", "version", "backend_requested", "compute_units", "threads")
_DESCRIPTION: Final = ("arch", "alpha", "resolution", "recipe", "spec")
"""What a variant's bundles say of it, all the same."""
_TEXT_NULL: Final = "\0"
_NUMBER_NULL: Final = -1
_NUMBERS: Final = ("device_api_level", "device_cpu_cores", "runtime_threads")


def analyze_tables(logs: LogTables, engine: Engine) -> AnalysisReport:
    """Report each group: warm inference with every figure, and cold starts.

    Phases, what happens within a run, and slips of unit are left to `analysis`, which looks at runs one by one.

    Raises:
        DataError: there is no run.
    """
    runs = engine.runs.select(
        "run_id", "mode", "cache_state", "inference_ns",
        *_key_columns(),
        *(nw.col("bundle").struct.field(name) for name in ("bundle_id", "weights_source", *_DESCRIPTION)),
        load=(nw.col("compile_ns").fill_null(0) + nw.col("load_ns").fill_null(0)),
        first=nw.col("first_inference_ns").fill_null(0),
        reason=_reason(),
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
    run = nw.col("run_id").alias("run")
    warm = numbered.filter(nw.col("mode") != "cold").select("group", run, nw.col("inference_ns").alias("ns"))
    warm_samples = engine.explode(warm)
    figures = estimate_groups(warm_samples, engine.upload, QUANTILES)
    cold = numbered.filter(nw.col("mode") == "cold")
    load, first = (
        estimate_groups(cold.select("group", run, nw.col(name).alias("ns")), engine.upload, (0.5,))
        for name in ("load", "first")
    )
    return AnalysisReport(
        _assemble(keys.to_pylist(), found.to_pylist(), figures, load, first),
        len(logs.files),
        sum(found["n"].to_pylist()),
        logs.duplicates,
        logs.set_aside,
    )


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


def _reason() -> "nw.Expr":
    """`analysis.reason_to_keep_apart` as an expression; empty where there is none."""
    conditions, golden = nw.col("conditions").struct.field, nw.col("golden").struct.field
    return (
        nw.when(~golden("passed").fill_null(True)).then(nw.lit("golden image failed"))
        .otherwise(
            nw.when(conditions("low_power_mode").fill_null(False)).then(nw.lit("low-power mode"))
            .otherwise(
                nw.when(conditions("thermal_before").fill_null("").is_in(["serious", "critical"]))
                .then(nw.lit("hot at the start"))
                .otherwise(
                    nw.when(~conditions("foreground").fill_null(True)).then(nw.lit("left the foreground"))
                    .otherwise(
                        nw.when(
                            (conditions("battery_level").fill_null(1.0) < LOW_BATTERY)
                            & ~conditions("charging").fill_null(False)
                        ).then(nw.lit("low battery")).otherwise(nw.lit(""))
                    )
                )
            )
        )
    )  # fmt: skip


def _assemble(
    keys: list[dict[str, Any]], found: list[dict[str, Any]], figures: dict[int, Figures],
    load: dict[int, Figures], first: dict[int, Figures],
) -> tuple[GroupReport, ...]:  # fmt: skip
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
            _warm(row["mode"], figures.get(row["group"]), _kept_apart(rows, row))
            for row in numbers[key] if row["mode"] != "cold"
        ]  # fmt: skip
        cold = [
            _cold(row["cache_state"], load.get(row["group"]), first.get(row["group"]), _kept_apart(rows, row))
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


def _kept_apart(rows: list[dict[str, Any]], key: dict[str, Any]) -> dict[str, int]:
    counts: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        if row["reason"] and (row["mode"], row["cache_state"]) == (key["mode"], key["cache_state"]):
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


def _warm(mode: Any, figures: Figures | None, kept_apart: dict[str, int]) -> WarmReport:
    quantiles = figures.quantiles if figures else {}
    return WarmReport(
        mode=mode,
        runs=figures.runs if figures else 0,
        samples=figures.samples if figures else 0,
        kept_apart=kept_apart,
        **{f"p{round(100 * q)}": quantiles.get(q) for q in QUANTILES},
        mean_ns=figures.mean_ns if figures else None,
        mad_ns=figures.mad_ns if figures else None,
        preprocess=None,
        postprocess=None,
        end_to_end=None,
        course=None,
        inference_ns=(),
    )


def _cold(
    cache_state: Literal["cold", "warm", "unknown"], load: Figures | None, first: Figures | None,
    kept_apart: dict[str, int],
) -> ColdReport:  # fmt: skip
    return ColdReport(
        cache_state,
        load.runs if load else 0,
        kept_apart,
        load.quantiles[0.5] if load else None,
        first.quantiles[0.5] if first else None,
    )
