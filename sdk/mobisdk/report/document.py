"""An analysis for other programs: one JSON document, or CSV with a line for each group and mode."""

import csv
import dataclasses
import io
from collections.abc import Mapping
from typing import Any, Final

from mobisdk.latency.analysis import AnalysisReport, ColdReport, GroupReport, WarmReport
from mobisdk.latency.stats import COVERAGE_PERCENT, Quantile
from mobisdk.report.printable import printable
from mobisdk.report.summary import explain

SCHEMA: Final = "mobisdk.analysis/1"
_WARM = ("p50", "p90", "p95", "p99", "preprocess", "postprocess", "end_to_end")
_COLD = ("load", "first_inference")


def to_document(report: AnalysisReport) -> dict[str, Any]:
    """Return the JSON document. Raw samples are left out: the logs have them."""
    return {
        "schema": SCHEMA,
        "files": report.files,
        "runs": report.runs,
        "duplicate_runs": report.duplicates,
        "set_aside": [{"file": str(a.file), "line": a.line, "reason": a.reason} for a in report.set_aside],
        "groups": [_group(group) for group in report.groups],
        "summary": list(explain(report)),
    }


def to_csv(report: AnalysisReport) -> str:
    """Return the CSV: a header, then a line for each group and warm mode, or for its cold starts alone.

    Control characters in texts are replaced; what a spreadsheet would take for a formula is preceded by an apostrophe.
    """
    text = io.StringIO()
    rows = [_csv_row(group, warm) for group in report.groups for warm in group.warm or (None,)]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _as_cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _group(group: GroupReport) -> dict[str, Any]:
    return {
        "device_label": group.device_label,
        "device": dataclasses.asdict(group.device),
        "runtime": dataclasses.asdict(group.runtime),
        "variant_label": group.variant_label,
        "variant_id": group.bundle.variant_id,
        "spec": group.bundle.spec,
        "arch": group.bundle.arch,
        "alpha": group.bundle.alpha,
        "resolution": group.bundle.resolution,
        "recipe": group.bundle.recipe,
        "bundle_ids": list(group.bundle_ids),
        "weights_sources": list(group.weights_sources),
        "warm": [
            {
                "mode": warm.mode,
                "runs": warm.runs,
                "samples": warm.samples,
                "kept_apart": dict(warm.kept_apart),
                **{name: _quantile(getattr(warm, name)) for name in _WARM},
                "simulated_coverage_percent": _coverage(warm),
                "mean_ns": warm.mean_ns,
                "mad_ns": warm.mad_ns,
                "course": dataclasses.asdict(warm.course) if warm.course else None,
                "images_per_s": warm.images_per_s,
                "end_to_end_images_per_s": warm.end_to_end_images_per_s,
            }
            for warm in group.warm
        ],
        "cold": [
            {
                "cache_state": cold.cache_state,
                "runs": cold.runs,
                "kept_apart": dict(cold.kept_apart),
                **{name: _quantile(getattr(cold, name)) for name in _COLD},
            }
            for cold in group.cold
        ],
    }


def _quantile(quantile: Quantile | None) -> dict[str, Any] | None:
    return None if quantile is None else dataclasses.asdict(quantile)


def _coverage(warm: WarmReport) -> list[int] | None:
    """From the least to the most of 100 simulated medians that an interval of so few runs holds."""
    has_interval = warm.p50 is not None and warm.p50.low_ns is not None
    return list(COVERAGE_PERCENT[warm.runs]) if has_interval and warm.runs in COVERAGE_PERCENT else None


def _csv_row(group: GroupReport, warm: WarmReport | None) -> dict[str, Any]:
    """One line's cells by column; cold starts are the coldest cache's, and stand beside every warm mode."""
    cold = group.cold[0] if group.cold else None
    return {
        **{name: getattr(group.device, name) for name in ("platform", "manufacturer", "model", "soc", "os_version")},
        "is_emulator": group.device.is_emulator,
        "variant": group.variant_label,
        **{name: getattr(group.bundle, name) for name in ("arch", "alpha", "resolution", "recipe", "variant_id")},
        "runtime": group.runtime.name,
        "runtime_version": group.runtime.version,
        **{name: getattr(group.runtime, name) for name in ("backend_requested", "compute_units", "threads")},
        "mode": warm and warm.mode,
        "runs": warm and warm.runs,
        "samples": warm and warm.samples,
        "kept_apart": sum(warm.kept_apart.values()) if warm else None,
        **_quantile_cells(warm, _WARM),
        "mean_ns": warm and warm.mean_ns,
        "mad_ns": warm and warm.mad_ns,
        "images_per_s": warm and warm.images_per_s,
        "end_to_end_images_per_s": warm and warm.end_to_end_images_per_s,
        "cold_cache_state": cold and cold.cache_state,
        "cold_runs": cold and cold.runs,
        **{f"cold_{name}": cell for name, cell in _quantile_cells(cold, _COLD).items()},
    }


def _quantile_cells(report: WarmReport | ColdReport | None, names: tuple[str, ...]) -> Mapping[str, int | None]:
    cells: dict[str, int | None] = {}
    for name in names:
        quantile: Quantile | None = getattr(report, name) if report else None
        cells[f"{name}_ns"] = quantile.value_ns if quantile else None
        cells[f"{name}_low_ns"] = quantile.low_ns if quantile else None
        cells[f"{name}_high_ns"] = quantile.high_ns if quantile else None
    return cells


def _as_cell(value: Any) -> Any:
    """Keep a spreadsheet from running what a phone wrote."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text
