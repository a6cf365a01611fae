"""`mobisdk analyze`."""

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobisdk.cli.console import Json, print_json, say, stdout
from mobisdk.cli.logs_argument import Logs, read_runs
from mobisdk.cli.page_target import check_page_target
from mobisdk.errors import ConfigError

if TYPE_CHECKING:
    from mobisdk.latency.analysis import AnalysisReport
    from mobisdk.latency.log_files import SetAside
    from mobisdk.latency.store import LogSet
    from mobisdk.report.charts.theme import Limits
    from mobisdk.report.html import Beside

_REASONS_SHOWN = 3
_LARGE_BYTES = 256 * 2**20
"""Logs beyond this are left to an engine, which holds no run in memory as such."""


class EngineName(enum.StrEnum):
    """What computes the figures of large logs."""

    DUCKDB = "duckdb"
    SPARK = "spark"


def analyze(
    logs: Logs,
    json: Json = False,
    csv: Annotated[
        str | None, typer.Option("--csv", help="Write a line for each bundle to FILE; - is stdout.", metavar="FILE")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the report with charts, one offline page.", metavar="FILE")
    ] = None,
    accuracy: Annotated[
        list[Path] | None,
        typer.Option("--accuracy", help="What `evaluate --json` printed, for --html; may be repeated.", metavar="FILE"),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Logs of before, for --html: what has become slower since?", metavar="OLD"),
    ] = None,
    max_latency_ms: Annotated[
        float | None, typer.Option(help="The budget, a line in the charts of --html.", min=0, metavar="MS")
    ] = None,
    min_accuracy: Annotated[
        float | None, typer.Option(help="The least accuracy, 0 to 1, a line beside it.", min=0, max=1, metavar="SHARE")
    ] = None,
    max_size_mb: Annotated[
        float | None, typer.Option(help="The most that the model may take, a line in size's.", min=0, metavar="MB")
    ] = None,
    charts: Annotated[
        Path | None,
        typer.Option("--charts", help="Write every chart of the report as SVG and PNG.", metavar="FOLDER"),
    ] = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(help="For logs of any size: warm figures and cold starts.  [default: duckdb from 256 MB on]"),
    ] = None,
    master: Annotated[str, typer.Option(help="Spark master of --engine spark.", metavar="URL")] = "local[*]",
    emulators: Annotated[
        bool, typer.Option("--emulators", help="Count runs of emulators, which are kept apart otherwise.")
    ] = False,
    set_aside: Annotated[
        Path | None, typer.Option(help="Write file, line and reason of every line that is no run.", metavar="FILE")
    ] = None,
) -> None:
    """Percentiles with confidence intervals from latency logs."""
    from mobisdk.files import write_atomically
    from mobisdk.latency.in_memory import analyze_runs

    if json and csv == "-":
        raise typer.BadParameter("--json and --csv - both want stdout; give --csv a file")
    needs_samples = html is not None or charts is not None
    drawn = {
        "--accuracy": accuracy, "--against": against, "--max-latency-ms": max_latency_ms,
        "--min-accuracy": min_accuracy, "--max-size-mb": max_size_mb,
    }  # fmt: skip
    if not needs_samples and (named := [name for name, value in drawn.items() if value not in (None, [])]):
        raise typer.BadParameter(f"{named[0]} stands beside latency in the report of --html; name its file")
    if html is not None:
        check_page_target(html)
    if engine is not None and needs_samples:
        raise typer.BadParameter("--html and --charts draw the samples, which --engine leaves where they are")
    if engine is None and not needs_samples and _is_large(logs):
        engine = EngineName.DUCKDB
        say("Large logs: --engine duckdb computes the figures.")
    if engine is not None:
        report = _analyze_at_size(logs, engine, master, emulators)
    else:
        runs = read_runs(logs)
        report = analyze_runs(runs, emulators=emulators)
    tell_set_aside(report.set_aside)
    if set_aside is not None:
        write_atomically(set_aside, describe_set_aside(report.set_aside))
    if needs_samples:
        from mobisdk.report.charts.theme import Limits

        beside = _find_beside(report, accuracy or [], against, Limits(max_latency_ms, min_accuracy, max_size_mb))
        if html is not None:
            write_html(html, report, runs, beside)
        if charts is not None:
            _write_charts(charts, report, runs, beside)
    if csv is not None:
        from mobisdk.report.document import to_csv

        if csv == "-":
            print(to_csv(report), end="")
            return
        write_atomically(Path(csv), to_csv(report).encode())
    if json:
        from mobisdk.report.document import to_document

        print_json(to_document(report))
        return
    from mobisdk.report.summary import explain
    from mobisdk.report.table import build_tables

    for table in build_tables(report):
        stdout().print(table, "")
    for sentence in explain(report):
        stdout().print(sentence, markup=False, emoji=False)


def _is_large(logs: Sequence[str]) -> bool:
    from mobisdk.cli.logs_argument import is_store
    from mobisdk.latency.log_files import find_log_files

    files = find_log_files(Path(log) for log in logs if not is_store(log))
    return not any(map(is_store, logs)) and sum(file.stat().st_size for file in files) > _LARGE_BYTES


def _analyze_at_size(logs: Sequence[str], engine: EngineName, master: str, emulators: bool) -> "AnalysisReport":
    from mobisdk.cli.logs_argument import is_store
    from mobisdk.latency.engines import open_duckdb, open_spark
    from mobisdk.latency.large import analyze_tables
    from mobisdk.latency.store import read_tables

    stores = [log for log in logs if is_store(log)]
    if stores:
        raise ConfigError(
            "--engine reads files", got=stores, hint="`mobisdk logs export` writes a store's runs as such"
        )
    tables = read_tables([Path(log) for log in logs])
    with open_duckdb(tables) if engine is EngineName.DUCKDB else open_spark(tables, master) as opened:
        return analyze_tables(tables, opened, emulators=emulators)


def describe_set_aside(lines: "Sequence[SetAside]") -> bytes:
    """JSON Lines: names and reasons hold what a hostile file says."""
    from json import dumps

    documents = ({"file": str(line.file), "line": line.line, "reason": line.reason} for line in lines)
    return "".join(dumps(document) + "\n" for document in documents).encode()


def _find_beside(report: "AnalysisReport", accuracy: Sequence[Path], against: str | None, limits: "Limits") -> "Beside":
    from mobisdk.latency.compare import compare_reports
    from mobisdk.latency.in_memory import analyze_runs
    from mobisdk.report.accuracy import read_accuracies
    from mobisdk.report.html import Beside

    accuracies = read_accuracies(accuracy)
    unmeasured = accuracies.keys() - {group.bundle.variant_id for group in report.groups}
    if unmeasured:
        say(f"{len(unmeasured)} of {len(accuracies)} accuracies are of variants that these logs have no latency of")
    if against is None:
        return Beside(accuracies, limits)
    before = analyze_runs(read_runs([against]), emulators=True)
    tell_set_aside(before.set_aside)
    return Beside(accuracies, limits, compare_reports(before, report))


def write_html(html: Path, report: "AnalysisReport", runs: "LogSet", beside: "Beside") -> None:
    """Write the page of `report`, which was made from `runs`, with what stands beside it."""
    from datetime import datetime

    from mobisdk.files import write_atomically
    from mobisdk.report.html import build_page

    page = build_page(report, runs, beside, datetime.now().astimezone())
    write_atomically(html, page.encode())
    say(f"Report: {html}")


def _write_charts(folder: Path, report: "AnalysisReport", runs: "LogSet", beside: "Beside") -> None:
    from mobisdk.files import write_atomically
    from mobisdk.report.charts.picture import FORMATS, draw_picture
    from mobisdk.report.html import list_figures

    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, spec in list_figures(report, runs, beside):
        for file_format in FORMATS:
            write_atomically(folder / f"{name}{file_format}", draw_picture(spec, file_format))
        count += 1
    say(f"{count} chart{'s' * (count != 1)} as SVG and PNG: {folder}")


def tell_set_aside(lines: "Sequence[SetAside]") -> None:
    """Say on stderr how many lines are no runs, and why the first are not."""
    from mobisdk.report.printable import printable

    if not lines:
        return
    say(f"{len(lines)} line{'s' * (len(lines) > 1)} set aside:")
    for line in lines[:_REASONS_SHOWN]:
        say(f"  {printable(f'{line.file}:{line.line}: {line.reason}')}")
    if len(lines) > _REASONS_SHOWN:
        say(f"  and {len(lines) - _REASONS_SHOWN} more")
