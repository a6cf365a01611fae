import dataclasses
import io
from pathlib import Path

from rich.console import Console

from mobisdk.latency.in_memory import analyze_runs
from mobisdk.latency.log import parse_run
from mobisdk.latency.record import LatencyRun, durations
from mobisdk.latency.store import collect_runs
from mobisdk.report.printable import printable
from mobisdk.report.table import build_tables

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])


def variant(alpha: float, ms: float, **parts: object) -> LatencyRun:
    bundle = dataclasses.replace(RUN.bundle, alpha=alpha, variant_id=f"{round(alpha * 100):064x}")
    return dataclasses.replace(RUN, bundle=bundle, inference_ns=durations([round(ms * 1e6)] * 3), **parts)  # type: ignore[arg-type]


def show(*runs: LatencyRun, width: int = 80) -> str:
    text = io.StringIO()
    console = Console(file=text, width=width, force_terminal=True, color_system=None)
    for table in build_tables(analyze_runs(collect_runs((Path("runs.jsonl"),), runs, (), 0))):
        console.print(table)
    return text.getvalue()


def test_row_has_its_figures_and_the_heading_what_all_rows_share() -> None:
    cold = variant(0.25, 1, mode="cold", compile_ns=None, load_ns=30_000_000, first_inference_ns=5_000_000)
    lines = show(variant(0.25, 1.2), variant(1.0, 4), cold, width=100).splitlines()
    assert lines[0].rstrip() == "Google Pixel 8 (Tensor G3), 9 cores, Android 15"
    assert lines[1].rstrip() == "executorch 1.4.1, xnnpack, recipe xnnpack_fp32, threads 4, burst"
    assert "mobilenet_v1 0.25 at 160    1 1.20            1.20 1.20    30.0  5.00    833" in lines[5]
    assert "mobilenet_v1 1.0 at 160" in lines[6]


def test_column_of_threads_is_there_when_rows_differ_in_it() -> None:
    text = show(RUN, dataclasses.replace(RUN, runtime=dataclasses.replace(RUN.runtime, threads=1)))
    assert "threads" in text.splitlines()[3]
    assert "threads 4" not in text


def test_rows_that_would_look_the_same_show_their_variant() -> None:
    twin = dataclasses.replace(RUN, bundle=dataclasses.replace(RUN.bundle, variant_id="ab" * 32))
    text = show(RUN, twin, width=120)
    assert "(2e2e2e2e)" in text
    assert "(abababab)" in text


def test_widest_table_when_printed_at_80_columns_loses_nothing() -> None:
    cold = {"mode": "cold", "load_ns": 345_000_000, "first_inference_ns": 112_000_000}
    runs = [variant(alpha, 100 * alpha + shift) for alpha in (0.25, 1.0) for shift in range(-3, 3)]
    one = [dataclasses.replace(run, runtime=dataclasses.replace(RUN.runtime, threads=1)) for run in runs]
    text = show(*runs, *one, variant(0.25, 25, **cold), width=80)
    assert "…" not in text
    assert all(word in text for word in ("threads", "interval", "p99", "first", "images"))
    assert max(map(len, text.splitlines())) <= 80


def test_what_was_kept_apart_stands_below_the_table() -> None:
    failed = dataclasses.replace(RUN, golden=dataclasses.replace(RUN.golden, passed=False))  # type: ignore[type-var]
    assert "kept apart from these figures: golden image failed (1)" in show(RUN, failed)


def test_name_that_is_hostile_when_printed_is_plain_text() -> None:
    name = "\x1b]0;owned\x07[red]:smile:[/red][link=x]\u202e\x9b31m\n\r\0"
    text = show(dataclasses.replace(RUN, device=dataclasses.replace(RUN.device, model=name)), width=200)
    assert "Google �]0;owned�[red]:smile:[/red][link=x]��31m��� (Tensor G3)" in text


def test_long_text_when_made_printable_is_cut() -> None:
    assert printable("x" * 1000) == "x" * 300 + "…"
    assert printable("هاتف 📱 α × ρ") == "هاتف 📱 α × ρ"
