"""The argument LOGS: latency logs, folders of them, lab servers and their stores, in any mixture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mobisdk.latency.store import LogSet

Logs = Annotated[
    list[str],
    typer.Argument(
        help="Latency logs: .jsonl (.gz, .zst) or Parquet files, folders of them, or a lab server's store or URL.",
        metavar="LOGS",
    ),
]
_SQLITE_MARK = b"SQLite format 3\0"


def read_runs(logs: Sequence[str]) -> "LogSet":
    """Read everything that `logs` names.

    Raises:
        DataError: a path does not exist, or a folder holds no log.
        ServerError: a store cannot be read.
        OSError: a file cannot be read.
    """
    from mobisdk.cli.arrow_alone import keep_pandas_out
    from mobisdk.latency.remote import iterate_remote_lines

    keep_pandas_out()
    from mobisdk.latency.store import read_logs

    labs = [log for log in logs if log.startswith(("http://", "https://"))]
    stores = [log for log in logs if log not in labs and is_store(log)]
    paths = [Path(log) for log in logs if log not in stores and log not in labs]
    remote = [(Path(lab), iterate_remote_lines(lab)) for lab in labs]
    if not stores:
        return read_logs(paths, remote)
    from mobisdk.server.store.engine import open_store, shown_url
    from mobisdk.server.store.runs import iterate_lines

    opened = [(Path(shown_url(store)), open_store(store, create=False)) for store in stores]
    try:
        lines = [(place, (line.encode() for line in iterate_lines(store))) for place, store in opened]
        return read_logs(paths, [*lines, *remote])
    finally:
        for _, store in opened:
            store.close()


def is_store(log: str) -> bool:
    """Whether `log` is a store's URL, or a file of SQLite."""
    if "://" in log:
        return True
    path = Path(log)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE_MARK)) == _SQLITE_MARK
