"""An analysis as tables for the terminal: one for each device, runtime and mode."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mobisdk.latency.analysis import AnalysisReport, GroupReport, WarmReport
from mobisdk.report.circumstances import describe_coverage
from mobisdk.report.labels import Row, network_labels, runtime_label, table_rows
from mobisdk.report.numbers import format_interval_ms, format_ms
from mobisdk.report.printable import printable
from mobisdk.report.sparkline import sparkline

_LONGEST_WORD = len("mobilenet_v1")
_SPARKS = 8


def build_tables(report: AnalysisReport) -> list[Group]:
    """Build the tables, each below its heading; their texts are plain, whatever a phone calls itself."""
    tables: defaultdict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for group, warm in table_rows(report.groups):
        tables[group.device_label, runtime_label(group), warm.mode if warm else "cold"].append((group, warm))
    return [_build_table(heading, rows) for heading, rows in tables.items()]


def _build_table(heading: tuple[str, str, str], rows: Sequence[Row]) -> Group:
    """Build one table; what all its rows share stands above it instead of in a column."""
    device, runtime, mode = heading
    columns = {
        "network": network_labels(rows),
        "recipe": [group.bundle.recipe for group, _ in rows],
        "threads": [_threads_cell(group) for group, _ in rows],
        "runs": [str(warm.runs) if warm else "" for _, warm in rows],
        "p50 ms\n[95 % interval]": [format_interval_ms(warm.p50 if warm else None) for _, warm in rows],
        "p90\nms": [format_ms(warm.p90 if warm else None) for _, warm in rows],
        "p99\nms": [format_ms(warm.p99 if warm else None) for _, warm in rows],
        "cold\nload ms": [format_ms(group.cold[0].load if group.cold else None) for group, _ in rows],
        "first\nms": [format_ms(group.cold[0].first_inference if group.cold else None) for group, _ in rows],
        "over\ntime": [_course_cell(warm) for _, warm in rows],
        "images\n/s": [_rate_cell(warm.images_per_s if warm else None) for _, warm in rows],
    }
    shared = [f"{name} {columns.pop(name)[0]}" for name in ("recipe", "threads") if len(set(columns[name])) == 1]
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    filled = {name: cells for name, cells in columns.items() if any(cells)}
    for name in filled:
        is_text = name in ("network", "recipe")
        table.add_column(
            name,
            justify="left" if is_text or name.startswith("p50") else "right",
            min_width=_LONGEST_WORD if is_text else None,
            no_wrap=not is_text,
        )
    for row in zip(*filled.values(), strict=True):
        table.add_row(*(Text(printable(cell)) for cell in row))
    return Group(
        Text(printable(device), style="bold"),
        Text(printable(", ".join([runtime, *shared, mode]))),
        table,
        *_kept_apart_lines(rows),
        *(Text(f"{told}.") for told in [describe_coverage(rows)] if told),
    )


def _threads_cell(group: GroupReport) -> str:
    return "auto" if group.runtime.threads is None else str(group.runtime.threads)


def _course_cell(warm: WarmReport | None) -> str:
    """Sustained work as a spark-line: medians of eight equal parts of its longest run."""
    if warm is None or warm.mode != "sustained" or not warm.inference_ns:
        return ""
    longest = max(warm.inference_ns, key=len)
    parts = [part for part in np.array_split(longest, _SPARKS) if part.size]
    return sparkline([float(np.median(part)) for part in parts])


def _rate_cell(rate: float | None) -> str:
    if rate is None:
        return ""
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"


def _kept_apart_lines(rows: Sequence[Row]) -> list[Text]:
    """Say which runs the figures leave out."""
    counts: Counter[str] = Counter()
    for group, warm in rows:
        for kept_apart in (warm.kept_apart if warm else {}, *(cold.kept_apart for cold in group.cold)):
            counts.update(kept_apart)
    if not counts:
        return []
    reasons = ", ".join(f"{reason} ({count})" for reason, count in sorted(counts.items()))
    return [Text(f"kept apart from these figures: {reasons}")]
