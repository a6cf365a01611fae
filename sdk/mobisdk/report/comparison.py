"""A comparison for people and for CI: sentences, a table, Markdown, JUnit's XML, one JSON document."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Final
from xml.etree import ElementTree

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobisdk.latency.analysis import GroupReport
from mobisdk.latency.compare import Comparison, VariantComparison
from mobisdk.latency.shift import Shift
from mobisdk.report.labels import runtime_label, threads_label
from mobisdk.report.numbers import format_interval_ms, format_ms
from mobisdk.report.printable import printable

SCHEMA: Final = "mobisdk.comparison/1"
_SIGNS: Final = {"slower": "▲", "faster": "▼", "same": "=", "cannot tell": "?"}
_STYLES: Final = {"slower": "bold red", "faster": "green", "same": "", "cannot tell": "yellow"}
_COLUMNS: Final = ("network", "runs", "old ms", "new ms", "change [bounds]", "verdict")
_Row = tuple[str, str, str, str, str, str]


def to_document(comparison: Comparison) -> dict[str, Any]:
    """Return the JSON document; `change` is a share, its bounds are one-sided."""
    return {
        "schema": SCHEMA,
        "threshold": comparison.threshold,
        "variants": [
            {
                "device_label": variant.new.device_label,
                "variant_label": variant.new.variant_label,
                "variant_id": variant.new.bundle.variant_id,
                "recipe": variant.new.bundle.recipe,
                "runtime": dataclasses.asdict(variant.new.runtime),
                "mode": variant.mode,
                "old_runs": variant.old_warm.runs,
                "new_runs": variant.new_warm.runs,
                "old_p50": dataclasses.asdict(variant.old_warm.p50) if variant.old_warm.p50 else None,
                "new_p50": dataclasses.asdict(variant.new_warm.p50) if variant.new_warm.p50 else None,
                **dataclasses.asdict(variant.shift),
            }
            for variant in comparison.variants
        ],
        "only_old": [_setting(group) for group in comparison.only_old],
        "only_new": [_setting(group) for group in comparison.only_new],
        "summary": summarize(comparison),
    }


def summarize(comparison: Comparison) -> str:
    """Say it in a sentence: `1 slower, 19 same of 20 variants (threshold 5 %).`."""
    counts = [
        f"{count} {verdict}" for verdict in ("slower", "faster", "same", "cannot tell")
        if (count := sum(variant.shift.verdict == verdict for variant in comparison.variants))
    ]  # fmt: skip
    several = len(comparison.variants)
    return (
        f"{', '.join(counts)} of {several} variant{'s' * (several > 1)} (threshold {100 * comparison.threshold:.3g} %)."
    )


def format_change(shift: Shift) -> str:
    """`+10.2 % [+6.1, +14.5]`."""
    text = f"{100 * shift.change:+.1f} %"
    if shift.low is None or shift.high is None:
        return text
    return f"{text} [{100 * shift.low:+.1f}, {100 * shift.high:+.1f}]"


def explain_verdict(shift: Shift) -> str:
    """`cannot tell: the runs differ too much …; about 24 runs a side would tell`."""
    if shift.verdict != "cannot tell":
        return shift.verdict
    needed = (
        f"about {shift.runs_to_tell} runs a side would tell"
        if shift.runs_to_tell
        else "no number of runs within reach would tell"
    )
    return f"cannot tell: {shift.reason}; {needed}"


def _name_runs(shift: Shift) -> str:
    return f"{shift.runs_to_tell} runs would tell" if shift.runs_to_tell else "cannot tell"


def build_comparison_tables(comparison: Comparison) -> list[RenderableType]:
    """A table a device, runtime and mode; the worst first."""
    tables: list[RenderableType] = []
    for heading, variants in _by_heading(comparison):
        table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
        for name in ("network", "runs", "old ms", "new ms", "change [bounds]", "verdict"):
            is_text = name in ("network", "verdict")
            table.add_column(name, justify="left" if is_text else "right", no_wrap=not is_text, overflow="fold")
        for variant in variants:
            verdict = variant.shift.verdict
            told = f"{_SIGNS[verdict]} {_name_runs(variant.shift) if verdict == 'cannot tell' else verdict}"
            table.add_row(
                Text(printable(variant.new.variant_label)),
                f"{variant.old_warm.runs}/{variant.new_warm.runs}",
                format_ms(variant.old_warm.p50),
                format_ms(variant.new_warm.p50),
                format_change(variant.shift),
                Text(told, style=_STYLES[verdict]),
            )
        tables.append(Group(*(Text(line, style="bold" * (not n)) for n, line in enumerate(heading)), table))
    return tables


def to_markdown(comparison: Comparison) -> str:
    """For a comment on a pull request: what a phone wrote is escaped."""
    lines = [f"**{summarize(comparison)}**", ""]
    for heading, variants in _by_heading(comparison):
        lines += [_escape(", ".join(heading)), "", f"| {' | '.join(_COLUMNS)} |", "|---|---:|---:|---:|---:|---|"]
        lines += [
            f"| {' | '.join([*map(_escape, cells), f'{_SIGNS[variant.shift.verdict]} {_escape(verdict)}'])} |"
            for variant in variants
            for *cells, verdict in [_row(variant)]
        ]
        lines.append("")
    for name, groups in (("OLD", comparison.only_old), ("NEW", comparison.only_new)):
        lines += [f"Only in {name}: {_escape(_setting(group))}" for group in groups]
    return "\n".join(lines).rstrip() + "\n"


def to_junit(comparison: Comparison) -> bytes:
    """JUnit's XML: a test a variant, failed where it became slower, skipped where nobody can tell."""
    suite = ElementTree.Element(
        "testsuite",
        name="mobisdk compare",
        tests=str(len(comparison.variants)),
        failures=str(comparison.count("slower")),
        errors="0",
        skipped=str(comparison.count("cannot tell")),
    )
    for variant in comparison.variants:
        name = f"{variant.new.variant_label} {variant.new.bundle.recipe} {variant.mode}, {_runtime(variant.new)}"
        case = ElementTree.SubElement(
            suite, "testcase", classname=printable(variant.new.device_label), name=printable(name)
        )
        told = f"{format_change(variant.shift)}: {explain_verdict(variant.shift)}"
        if variant.shift.verdict == "slower":
            ElementTree.SubElement(case, "failure", type="slower", message=told)
        elif variant.shift.verdict == "cannot tell":
            ElementTree.SubElement(case, "skipped", message=told)
        _, runs, old, new, _, _ = _row(variant)
        ElementTree.SubElement(case, "system-out").text = f"{old} ms → {new} ms ({runs} runs), {told}"
    document: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _by_heading(comparison: Comparison) -> list[tuple[tuple[str, str], Sequence[VariantComparison]]]:
    found: dict[tuple[str, str], list[VariantComparison]] = {}
    for variant in sorted(comparison.variants, key=lambda variant: -variant.shift.change):
        heading = (
            printable(variant.new.device_label),
            f"{_runtime(variant.new)}, recipe {printable(variant.new.bundle.recipe)}, {variant.mode}",
        )
        found.setdefault(heading, []).append(variant)
    return list(found.items())


def _row(variant: VariantComparison) -> _Row:
    return (
        printable(f"{variant.new.variant_label} {variant.new.bundle.recipe}"),
        f"{variant.old_warm.runs}/{variant.new_warm.runs}",
        format_interval_ms(variant.old_warm.p50),
        format_interval_ms(variant.new_warm.p50),
        format_change(variant.shift),
        explain_verdict(variant.shift),
    )


def _runtime(group: GroupReport) -> str:
    return f"{runtime_label(group)}, {threads_label(group)}"


def _setting(group: GroupReport) -> str:
    return printable(f"{group.variant_label} {group.bundle.recipe} on {group.device_label}, {_runtime(group)}")


def _escape(text: str) -> str:
    """No phone writes a link, a mention, an image or a tag into a comment."""
    return "".join(f"&#{ord(sign)};" if sign in "|<>&`*_[]()!#@\\" else sign for sign in text)
