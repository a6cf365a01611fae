"""Which runs belong together, which are kept apart and why: expressions that every engine runs, Arrow too."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from mobisdk.latency.analysis import (
    EMULATOR,
    LOW_BATTERY,
    ColdReport,
    GroupReport,
    WarmReport,
    group_order,
)
from mobisdk.latency.record import BundleRef, Device, RuntimeInfo

pc: Any = pyarrow.compute
"""Its stubs know less of arrays than is needed here."""
_DEVICE: Final = ("platform", "manufacturer", "model", "soc", "os_version", "api_level", "cpu_cores", "is_emulator")
_RUNTIME: Final = ("name", "version", "backend_requested", "compute_units", "threads")
_DESCRIPTION: Final = ("arch", "alpha", "resolution", "recipe", "spec")
"""What a variant's bundles say of it, all the same."""
_TEXT_NULL: Final = "\0"
_NUMBER_NULL: Final = -1
_NUMBERS: Final = ("device_api_level", "device_cpu_cores", "runtime_threads")


NAMES: Final = [
    *(f"device_{name}" for name in _DEVICE),
    *(f"runtime_{name}" for name in _RUNTIME),
    "bundle_variant_id",
    "mode",
    "cache_state",
]
"""What keeps runs apart; a group's warm modes and cold starts are parted too."""


def describe_runs(runs: "nw.LazyFrame[Any]", *more: str, emulators: bool) -> "nw.LazyFrame[Any]":
    """Give each run's `NAMES`, its `reason` to be kept apart (or nothing), what its bundle says, and `more` columns."""
    described = runs.select(
        *more, "mode", "cache_state",
        *_key_columns(),
        *(nw.col("bundle").struct.field(name) for name in ("bundle_id", "weights_source", *_DESCRIPTION)),
        load=(nw.col("compile_ns").fill_null(0) + nw.col("load_ns").fill_null(0)),
        first=nw.col("first_inference_ns").fill_null(0),
        reason=_reason(emulators=emulators),
    )  # fmt: skip
    # Only cold starts are parted by the state of their cache.
    return described.with_columns(
        cache_state=nw.when(nw.col("mode") == "cold").then(nw.col("cache_state")).otherwise(nw.lit(""))
    )


def find_groups(described: "nw.LazyFrame[Any]") -> tuple[pa.Table, pa.Table]:
    """Count the runs of each kind, and number the groups: `NAMES` and `group`."""
    found = (
        described.group_by(*NAMES, "reason", "bundle_id", "weights_source", *_DESCRIPTION)
        .agg(n=nw.len())
        .collect("pyarrow")
        .to_native()
        .sort_by([("n", "descending"), ("bundle_id", "ascending")])
    )
    keys = found.group_by(NAMES).aggregate([]).sort_by([(name, "ascending") for name in NAMES])
    return found, keys.append_column("group", pa.array(np.arange(keys.num_rows)))


def rows_of_devices(table: pa.Table, devices: Iterable[Device]) -> pa.Table:
    """Take the rows of some devices; how much memory a kernel leaves makes no other device."""
    masks = [_have(table, "device", device) for device in dict.fromkeys(devices)]
    return table.filter(pa.array(np.any(masks, axis=0)))


def rows_of_group(table: pa.Table, group: GroupReport) -> pa.Table:
    """Take the rows of a group's variant and runtime."""
    variant = pc.equal(pc.struct_field(table["bundle"].combine_chunks(), "variant_id"), group.bundle.variant_id)
    return table.filter(pa.array(variant.to_numpy(zero_copy_only=False) & _have(table, "runtime", group.runtime)))


def _have(table: pa.Table, part: str, value: Device | RuntimeInfo) -> NDArray[np.bool_]:
    column = table[part].combine_chunks()
    same = np.ones(len(column), dtype=bool)
    for field in dataclasses.fields(value):
        found, wanted = pc.struct_field(column, field.name), getattr(value, field.name)
        if field.name != "memory_bytes":
            equal = found.is_null() if wanted is None else pc.fill_null(pc.equal(found, wanted), False)
            same &= equal.to_numpy(zero_copy_only=False)
    return same


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


Row = Mapping[str, Any]
"""A group's `NAMES` and number."""


def assemble(
    found: pa.Table,
    keys: pa.Table,
    report_warm: Callable[[Row, dict[str, int]], WarmReport],
    report_cold: Callable[[Row, dict[str, int]], ColdReport],
) -> tuple[GroupReport, ...]:
    """Make the reports of what `find_groups` found; usable runs are counted under no reason."""
    own = NAMES[: NAMES.index("mode")]
    facts: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in found.to_pylist():
        facts[tuple(row[name] for name in own)].append(row)
    numbers: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in keys.to_pylist():
        numbers[tuple(row[name] for name in own)].append(row)
    groups = []
    for key, rows in facts.items():
        device, runtime, bundle = _read_key(dict(zip(own, key, strict=True)), rows[0])
        parts = [(row, _count_reasons(rows, row)) for row in numbers[key]]
        warm = [report_warm(*part) for part in parts if part[0]["mode"] != "cold"]
        cold = [report_cold(*part) for part in parts if part[0]["mode"] == "cold"]
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


def _count_reasons(rows: list[Row], key: Row) -> dict[str, int]:
    """Count the runs of a key by what keeps them apart; by nothing, which is an empty text, the usable ones."""
    counts: defaultdict[str, int] = defaultdict(int, {"": 0})
    for row in rows:
        if (row["mode"], row["cache_state"]) == (key["mode"], key["cache_state"]):
            counts[row["reason"]] += row["n"]
    return dict(counts)


def _read_key(key: Row, row: Row) -> tuple[Device, RuntimeInfo, BundleRef]:
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
