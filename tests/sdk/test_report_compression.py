"""The honest table, and what it says a phone gains."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from mobisdk.cli.runs_report import choose_ios_recipe
from mobisdk.report.compression import COLUMNS, Measured, build_compression_page, build_row, tell_gain

SAME = Measured(1000, 1000, "coreml_fp16", 500, 500, 2e6, 2e6)
DOCUMENT: dict[str, Any] = {
    "methods": ["prune", "low_rank"],
    "tested": 200,
    "correct_before": 190,
    "correct_after": 188,
    "params_before": 1000,
    "params_after": 600,
    "size_bytes_before": 4000,
    "size_bytes_after": 1000,
    "macs_before": 10_000,
    "macs_after": 4_000,
}


@pytest.mark.parametrize(
    ("changes", "gain"),
    [
        ({}, "nothing"),
        ({"latency_ns": 1.95e6, "android_bytes": 960}, "nothing"),
        ({"latency_ns": 1.0e6}, "speed"),
        ({"android_bytes": 400, "ios_bytes": 100}, "memory"),
        ({"latency_ns": 1.9e6, "android_bytes": 950}, "speed and memory"),
        ({"ios_bytes": 100}, "the download only (iOS)"),
        ({"latency_ns": 4.0e6, "ios_bytes": 100}, "the download only (iOS)"),
    ],
)
def test_a_phone_is_promised_what_was_measured_and_no_more(changes: dict[str, Any], gain: str) -> None:
    assert tell_gain(dataclasses.replace(SAME, **changes)) == gain


def test_a_row_has_every_figure_before_and_after() -> None:
    row = build_row(
        "net", DOCUMENT, dataclasses.replace(SAME, latency_ns=1e6, ios_bytes=100, ios_recipe="coreml_sparse")
    )

    assert tuple(row) == COLUMNS
    assert row["technique"] == "prune → low_rank"
    assert row["right before"].startswith("95.0 % [")
    assert row["right after"].startswith("94.0 % [")
    assert row["bits a weight"] == "8"  # 1000 bytes for 1000 weights
    assert row["multiply-adds"] == "10,000 → 4,000 (0.40 ×)"
    assert row["ios bytes"] == "500 → 100 (0.20 ×), coreml_sparse"
    assert row["latency here"] == "2 → 1 ms (0.50 ×)"


def test_accuracy_that_nobody_measured_is_a_dash() -> None:
    untested = {**DOCUMENT, "tested": None, "correct_before": None, "correct_after": None}

    assert build_row("net", untested, SAME)["right after"] == "–"


def test_the_page_holds_every_row_and_no_name_acts_in_it() -> None:
    row = build_row("<script>alert(1)</script>", DOCUMENT, SAME)

    page = build_compression_page([row], datetime(2026, 1, 2, tzinfo=UTC))

    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    assert "10,000 → 4,000 (0.40 ×)" in page


@pytest.mark.parametrize(
    ("method", "settings", "recipe"),
    [
        ("prune", {}, "coreml_sparse"),
        ("low_bits", {"weight_bits": 4}, "coreml_own_codes"),
        ("deep_compression", {}, "coreml_own_codes"),
        ("fixed_point", {"bits": 8}, "coreml_own_codes"),
        ("fixed_point", {"bits": 10}, "coreml_fp16"),
        ("hash", {}, "coreml_fp16"),
        ("low_rank", {}, "coreml_fp16"),
    ],
)
def test_core_ml_stores_what_the_technique_left(method: str, settings: dict[str, Any], recipe: str) -> None:
    assert choose_ios_recipe({"steps": [{"method": method, "settings": settings}]}) == recipe
