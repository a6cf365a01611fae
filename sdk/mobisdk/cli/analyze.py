"""`mobisdk analyze`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobisdk.cli.console import Json, print_json, say, stdout

if TYPE_CHECKING:
    from mobisdk.latency.store import SetAside

_REASONS_SHOWN = 3


def analyze(
    logs: Annotated[list[Path], typer.Argument(help="Latency logs: .jsonl files, or folders of them.", metavar="LOGS")],
    json: Json = False,
    csv: Annotated[
        str | None, typer.Option("--csv", help="Write a line for each bundle to FILE; - is stdout.", metavar="FILE")
    ] = None,
) -> None:
    """Percentiles with confidence intervals from latency logs."""
    from mobisdk.files import write_atomically
    from mobisdk.latency.analysis import analyze_runs
    from mobisdk.latency.store import read_logs

    if json and csv == "-":
        raise typer.BadParameter("--json and --csv - both want stdout; give --csv a file")
    report = analyze_runs(read_logs(logs))
    _tell_set_aside(report.set_aside)
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


def _tell_set_aside(lines: "Sequence[SetAside]") -> None:
    """Say on stderr how many lines are no runs, and why the first are not."""
    from mobisdk.report.printable import printable

    if not lines:
        return
    say(f"{len(lines)} line{'s' * (len(lines) > 1)} set aside:")
    for line in lines[:_REASONS_SHOWN]:
        say(f"  {printable(f'{line.file}:{line.line}: {line.reason}')}")
    if len(lines) > _REASONS_SHOWN:
        say(f"  and {len(lines) - _REASONS_SHOWN} more")
