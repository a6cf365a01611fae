"""`mobisdk compare`: a gate for regressions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobisdk.cli.console import Json, print_json, say, stdout
from mobisdk.errors import ConfigError

if TYPE_CHECKING:
    from mobisdk.latency.analysis import AnalysisReport


def compare(
    old: Annotated[
        str, typer.Argument(help="Latency logs of before: a file, a folder or a lab server's store.", metavar="OLD")
    ],
    new: Annotated[str, typer.Argument(help="Latency logs of after.", metavar="NEW")],
    threshold: Annotated[
        str, typer.Option(help="Changes below this are nobody's regression: 0.05 or 5%.", metavar="SHARE")
    ] = "5%",
    junit: Annotated[Path | None, typer.Option(help="Write JUnit's XML for CI.", metavar="FILE")] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write Markdown for a comment on a pull request.", metavar="FILE")
    ] = None,
    chart: Annotated[
        Path | None, typer.Option(help="Draw every change with its bounds: .svg or .png.", metavar="FILE")
    ] = None,
    json: Json = False,
) -> None:
    """Tell whether NEW is slower than OLD, beyond noise.

    Exit 1 where it is, and by --threshold or more.
    Ten runs a side tell a slowdown of 10 % where runs differ by 5 %; with five, little can be told.
    """
    from mobisdk.files import write_atomically
    from mobisdk.latency.compare import compare_reports
    from mobisdk.report.comparison import build_comparison_tables, summarize, to_document, to_junit, to_markdown

    comparison = compare_reports(_analyze(old), _analyze(new), _read_share(threshold))
    if junit is not None:
        write_atomically(junit, to_junit(comparison))
    if markdown is not None:
        write_atomically(markdown, to_markdown(comparison).encode())
    if chart is not None:
        from mobisdk.report.charts.picture import draw_picture
        from mobisdk.report.charts.shifts import draw_shifts, shift_points

        drawing = draw_shifts(shift_points(comparison), comparison.threshold)
        write_atomically(chart, draw_picture(drawing, chart.suffix))
        say(f"Chart: {chart}")
    if json:
        print_json(to_document(comparison))
    else:
        for table in build_comparison_tables(comparison):
            stdout().print(table, "")
        for name, groups in (("OLD", comparison.only_old), ("NEW", comparison.only_new)):
            if groups:
                say(f"{len(groups)} setting{'s' * (len(groups) > 1)} only in {name}")
        stdout().print(summarize(comparison), markup=False)
    if comparison.count("slower"):
        raise typer.Exit(1)


def _analyze(logs: str) -> "AnalysisReport":
    from mobisdk.cli.analyze import tell_set_aside
    from mobisdk.cli.logs_argument import read_runs
    from mobisdk.latency.in_memory import analyze_runs

    report = analyze_runs(read_runs([logs]), emulators=True)  # each is compared with itself
    tell_set_aside(report.set_aside)
    return report


def _read_share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise ConfigError("--threshold must be a share", got=text, allowed="0 to 1, such as 0.05 or 5%")
    return share
