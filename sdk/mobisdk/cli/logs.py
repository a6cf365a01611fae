"""`mobisdk logs`: off phones, in from other tools, out as Parquet for engines."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from mobisdk.cli import logs_pull
from mobisdk.cli.console import Json, print_json, say
from mobisdk.cli.logs_argument import Logs

logs_app = typer.Typer(
    name="logs",
    help="Logs off phones, from other tools, and to Parquet.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
logs_app.command("pull")(logs_pull.pull)


class Tool(enum.StrEnum):
    """Whose results are read."""

    ANDROIDX = "androidx"
    EXECUTORCH = "executorch"
    AIHUB = "aihub"
    TFLITE = "tflite"
    CSV = "csv"


@logs_app.command("import")
def import_results(
    files: Annotated[list[Path], typer.Argument(help="Files that the tool wrote.", show_default=False)],
    tool: Annotated[Tool, typer.Option("--from", help="The tool.")],
    log: Annotated[Path, typer.Option(help="Runs are added to this file.")] = Path("latency.jsonl"),
    device: Annotated[str | None, typer.Option(help="The device's name, where the file does not tell.")] = None,
    arch: Annotated[str | None, typer.Option(help="The network's architecture.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Its width multiplier.")] = None,
    resolution: Annotated[int | None, typer.Option(help="Its input height and width.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Its backend and precision.")] = None,
    threads: Annotated[int | None, typer.Option(help="Thread count.")] = None,
    json: Json = False,
) -> None:
    """Add results of another tool to a log: androidx.benchmark, ExecuTorch, AI Hub, TensorFlow Lite, or a CSV."""
    from datetime import UTC, datetime

    from mobisdk.latency.foreign import About, read_foreign
    from mobisdk.latency.log import append_run, to_json_line

    about = About(device, arch, alpha, resolution, recipe, threads)
    hour = datetime.now(UTC).strftime("%Y-%m-%dT%H:00:00Z")
    runs = [run for file in files for run in read_foreign(file, tool, about, hour)]
    for run in runs:
        to_json_line(run)  # all are held against the contract before the first is written
    for run in runs:
        append_run(log, run)
    if json:
        print_json({"log": str(log), "runs": len(runs), "samples": sum(int(run.inference_ns.size) for run in runs)})
    else:
        say(f"{len(runs)} run{'s' * (len(runs) > 1)} of {tool} went into {log}.")


@logs_app.command("export")
def export_logs(
    logs: Logs,
    parquet: Annotated[Path, typer.Option(help="Folder that is made, with a part for each device and day.")],
    set_aside: Annotated[
        Path | None, typer.Option(help="Write file, line and reason of every line that is no run.", metavar="FILE")
    ] = None,
    json: Json = False,
) -> None:
    """Write logs as Parquet, for `analyze --engine`, DuckDB, Spark or pandas."""
    from mobisdk.cli.analyze import describe_set_aside, tell_set_aside
    from mobisdk.files import write_atomically
    from mobisdk.latency.export import export_parquet

    runs, asides = export_parquet([Path(log) for log in logs], parquet)
    tell_set_aside(asides)
    if set_aside is not None:
        write_atomically(set_aside, describe_set_aside(asides))
    if json:
        print_json({"parquet": str(parquet), "runs": runs, "set_aside": len(asides)})
    else:
        say(f"{runs} run{'s' * (runs > 1)} went into {parquet}.")
