"""The report as one HTML file: it needs no network, and nothing that a phone wrote can act in it."""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import jinja2
import pyarrow as pa
from markupsafe import Markup

from mobisdk.latency.analysis import AnalysisReport, GroupReport
from mobisdk.latency.compare import Comparison
from mobisdk.latency.groups import rows_of_devices
from mobisdk.latency.store import LogSet
from mobisdk.report.accuracy import Accuracy
from mobisdk.report.blocks import Block, build_blocks
from mobisdk.report.charts.theme import NO_LIMITS, Limits
from mobisdk.report.circumstances import describe_circumstances, describe_coverage, describe_kept_apart
from mobisdk.report.frame import KeyFigure, create_environment, render_page
from mobisdk.report.html_table import build_sortable_table
from mobisdk.report.labels import Row, table_rows
from mobisdk.report.numbers import format_ms
from mobisdk.report.summary import explain

_CHARTS_BYTES: Final = 500_000
_SECTIONS_BYTES: Final = 950_000
"""Where charts and sections end: with the scripts' 0.9 MB the file stays below 2 MB, however much was measured."""
_MOST_ROWS, _MOST_SENTENCES, _MOST_SET_ASIDE = 500, 6, 100


@dataclasses.dataclass(frozen=True)
class Beside:
    """What stands beside the latency of a report: accuracies by variant, a budget, and what it was before."""

    accuracies: Mapping[str, Accuracy] = dataclasses.field(default_factory=dict)
    limits: Limits = NO_LIMITS
    comparison: Comparison | None = None


def build_page(report: AnalysisReport, logs: LogSet, beside: Beside, made_at: datetime) -> str:
    """Build the page of `report`, which was made from `logs`."""
    environment = create_environment()
    devices = [list(groups) for _, groups in groupby(report.groups, key=lambda group: group.device_label)]
    return render_page(
        environment,
        "report.html.j2",
        made_at,
        subject=devices[0][0].device_label if len(devices) == 1 else f"{len(devices):,} devices",
        sentences=explain(report),
        most_sentences=_MOST_SENTENCES,
        key_figures=list(_key_figures(report, beside)),
        sections=_build_sections(environment, report, devices, logs, beside),
        devices=len(devices),
        report=report,
        most_set_aside=_MOST_SET_ASIDE,
    )


def _build_sections(
    environment: jinja2.Environment,
    report: AnalysisReport,
    devices: Sequence[Sequence[GroupReport]],
    logs: LogSet,
    beside: Beside,
) -> list[Markup]:
    """Build a section a device, as many as the file has room for, and charts in the first of them."""
    template = environment.get_template("device.html.j2")
    sections: list[Markup] = []
    used = 0
    for groups in devices:
        rows = table_rows(groups)
        own = rows_of_devices(logs.table, (group.device for group in groups))
        section = template.render(
            label=groups[0].device_label,
            is_first=not sections,
            is_alone=len(devices) == 1,
            number=len(sections) + 1,
            sentences=[] if len(devices) == 1 else explain(dataclasses.replace(report, groups=tuple(groups))),
            table=build_sortable_table(rows[:_MOST_ROWS], beside.accuracies),
            further_rows=len(rows) - _MOST_ROWS,
            kept_apart=describe_kept_apart(groups),
            coverage=describe_coverage(rows),
            blocks=_blocks(rows, own, beside) if used < _CHARTS_BYTES else None,
            facts=describe_circumstances(groups, own),
        )
        used += len(section.encode())
        if sections and used > _SECTIONS_BYTES:
            break
        sections.append(Markup(section))  # noqa: S704
    return sections


def _blocks(rows: Sequence[Row], runs: pa.Table, beside: Beside) -> list[Block]:
    return build_blocks(rows, beside.accuracies, runs, beside.limits, beside.comparison)


def list_figures(report: AnalysisReport, logs: LogSet, beside: Beside) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the page's charts, with a name for a file of each."""
    for number, (_, found) in enumerate(groupby(report.groups, key=lambda group: group.device_label), start=1):
        groups = list(found)
        own = rows_of_devices(logs.table, (group.device for group in groups))
        for block in _blocks(table_rows(groups), own, beside):
            for place, figure in enumerate(block.figures, start=1):
                name = re.sub(r"[^a-z0-9]+", "-", block.heading.lower().replace("α", "alpha").replace("ρ", "rho"))
                yield f"device-{number}-{name.strip('-')}-{place}", figure.spec


def _key_figures(report: AnalysisReport, beside: Beside) -> Iterator[KeyFigure]:
    accuracies = beside.accuracies
    rows = table_rows(report.groups)
    devices = len({group.device_label for group in report.groups})
    medians = [(warm.p50.value_ns, group, warm.p50) for group, warm in rows if warm and warm.p50]
    if medians:
        _, group, p50 = min(medians, key=lambda median: median[0])
        yield KeyFigure("fastest median", f"{format_ms(p50)} ms", _where(group, devices))
    known = [(accuracies[group.bundle.variant_id], group) for group, _ in rows if group.bundle.variant_id in accuracies]
    if known:
        accuracy, group = max(known, key=lambda pair: pair[0].share)
        yield KeyFigure("most accurate", f"{100 * accuracy.share:.1f} %", _where(group, 1))
    if beside.comparison is not None:
        slower, compared = beside.comparison.count("slower"), len(beside.comparison.variants)
        yield KeyFigure("slower than before", f"{slower:,}", f"of {compared:,} that both sides measured")
    variants = len({group.bundle.variant_id for group in report.groups})
    where = "one device" if devices == 1 else f"{devices:,} devices"
    yield KeyFigure("variants", f"{variants:,}", f"networks by recipe, on {where}")
    samples = sum(warm.samples for _, warm in rows if warm)
    yield KeyFigure("runs", f"{report.runs:,}", f"{samples:,} samples")
    if report.set_aside:
        yield KeyFigure("lines set aside", f"{len(report.set_aside):,}", "they are no runs; reasons below")


def _where(group: GroupReport, devices: int) -> str:
    named = [group.variant_label, group.bundle.recipe, *([group.device_label] if devices > 1 else [])]
    return ", ".join(named)
