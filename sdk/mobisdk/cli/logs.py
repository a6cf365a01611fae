"""`mobisdk logs`."""

import typer

from mobisdk.cli import logs_pull

logs_app = typer.Typer(
    name="logs", help="Latency logs: off phones by cable.", no_args_is_help=True, rich_markup_mode=None
)
logs_app.command("pull")(logs_pull.pull)
