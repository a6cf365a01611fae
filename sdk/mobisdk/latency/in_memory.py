"""The analysis of logs that fit into memory: what `groups` finds, and NumPy over the columns of each group.

A run's samples are a view of its column; no run is an object of its own.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from mobisdk.errors import DataError
from mobisdk.latency.analysis import (
    FEWEST_PEERS,
    SLIP_REACH,
    UNIT_SLIP,
    AnalysisReport,
    ColdReport,
    WarmReport,
)
from mobisdk.latency.course import describe_course
from mobisdk.latency.groups import NAMES, Row, assemble, describe_runs, find_groups
from mobisdk.latency.record import Durations
from mobisdk.latency.sample_lists import SAMPLE_LISTS
from mobisdk.latency.stats import Quantile, estimate_quantile
from mobisdk.latency.store import LogSet

pc: Any = pyarrow.compute


def analyze_runs(logs: LogSet, *, emulators: bool = False) -> AnalysisReport:
    """Report each group of `logs`; runs of emulators are kept apart like others, unless they are asked for.

    Raises:
        DataError: there is no run.
    """
    if not logs.table.num_rows:
        if not logs.set_aside:
            raise DataError("no run in these logs: they are empty")
        first, count = logs.set_aside[0], len(logs.set_aside)
        raise DataError(
            f"no run in these logs, and {count} line{'s' * (count > 1)} set aside",
            hint=f"The first is line {first.line} of {str(first.file)!r}: {first.reason}",
        )
    described = describe_runs(nw.from_native(logs.table).lazy(), emulators=emulators)
    found, keys = find_groups(described)
    runs = _Runs(logs.table, described.collect("pyarrow").to_native(), keys)
    return AnalysisReport(
        assemble(found, keys, partial(_report_warm, runs), partial(_report_cold, runs)),
        len(logs.files),
        logs.table.num_rows,
        logs.duplicates,
        logs.set_aside,
    )


class _Runs:
    """The usable runs of each group, as rows, and what they hold."""

    def __init__(self, table: pa.Table, described: pa.Table, keys: pa.Table) -> None:
        rows = described.select([*NAMES, "reason"]).append_column("row", pa.array(np.arange(table.num_rows)))
        joined = rows.join(keys, NAMES).sort_by("row")
        group = joined["group"].to_numpy(zero_copy_only=False)
        usable = pc.equal(joined["reason"], "").to_numpy(zero_copy_only=False)
        self._rows = {each: np.flatnonzero(usable & (group == each)) for each in range(keys.num_rows)}
        self._numbers = {name: described[name].to_numpy(zero_copy_only=False) for name in ("load", "first")}
        self._lists = {}
        for name in SAMPLE_LISTS:
            column: Any = table[name].combine_chunks()
            self._lists[name] = (
                column.offsets.to_numpy(zero_copy_only=False),
                column.values.to_numpy(zero_copy_only=False),
            )

    def of(self, group: int) -> NDArray[np.intp]:
        return self._rows[group]

    def samples(self, name: str, rows: NDArray[np.intp]) -> list[Durations]:
        offsets, values = self._lists[name]
        return [values[first:last] for first, last in zip(offsets[rows], offsets[rows + 1], strict=True)]

    def numbers(self, name: str, rows: NDArray[np.intp]) -> list[Durations]:
        return list(self._numbers[name][rows].reshape(-1, 1))


def _report_warm(runs: _Runs, row: Row, counts: dict[str, int]) -> WarmReport:
    rows = runs.of(row["group"])
    slips = _find_unit_slips(runs.samples("inference_ns", rows))
    rows = np.delete(rows, slips)
    inference = runs.samples("inference_ns", rows)
    before, after = (runs.samples(name, rows) for name in ("preprocess_ns", "postprocess_ns"))
    kept_apart = {reason: count for reason, count in counts.items() if reason}
    return WarmReport(
        mode=row["mode"],
        runs=len(rows),
        samples=sum(samples.size for samples in inference),
        kept_apart=kept_apart | ({UNIT_SLIP: len(slips)} if slips else {}),
        p50=_quantile(inference, 0.5),
        p90=_quantile(inference, 0.9),
        p95=_quantile(inference, 0.95),
        p99=_quantile(inference, 0.99),
        mean_ns=float(np.mean(np.concatenate(inference))) if inference else None,
        mad_ns=_deviation(inference) if inference else None,
        preprocess=_quantile([samples for samples in before if samples.size]),
        postprocess=_quantile([samples for samples in after if samples.size]),
        end_to_end=_quantile(_end_to_end(before, inference, after)),
        course=describe_course(
            row["mode"], runs.samples("warmup_ns", rows), inference, runs.samples("sample_at_ns", rows)
        )
        if inference
        else None,
        inference_ns=tuple(inference),
    )


def _report_cold(runs: _Runs, row: Row, counts: dict[str, int]) -> ColdReport:
    rows = runs.of(row["group"])
    kept_apart = {reason: count for reason, count in counts.items() if reason}
    load, first = (_quantile(runs.numbers(name, rows)) for name in ("load", "first"))
    return ColdReport(row["cache_state"], len(rows), kept_apart, load, first)


def _find_unit_slips(runs: Sequence[Durations]) -> list[int]:
    """Find runs whose median is off that of the others by a thousand, or a thousand thousand: micro for nano."""
    if len(runs) < FEWEST_PEERS:
        return []
    medians = np.array([np.median(samples) for samples in runs])
    off = np.abs(np.log10(np.maximum(medians, 1.0)) - np.log10(max(float(np.median(medians)), 1.0)))
    slips: list[int] = np.flatnonzero(np.minimum(np.abs(off - 3), np.abs(off - 6)) < SLIP_REACH).tolist()
    return slips


def _end_to_end(
    before: Sequence[Durations], inference: Sequence[Durations], after: Sequence[Durations]
) -> list[Durations]:
    if not all(samples.size for samples in before):
        return []
    return [
        first + middle + (last if last.size else np.int64(0))
        for first, middle, last in zip(before, inference, after, strict=True)
    ]


def _quantile(runs: Sequence[Durations], q: float = 0.5) -> Quantile | None:
    return estimate_quantile(runs, q) if runs else None


def _deviation(runs: Sequence[Durations]) -> float:
    pooled = np.concatenate(runs)
    return float(np.median(np.abs(pooled - np.rint(np.median(pooled)).astype(np.int64))))
