"""What every command shares: results go to stdout, progress and prose to stderr."""

import atexit
import json
import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on stdout.")]


def print_json(document: Any) -> None:
    """Print the one document that a command answers with."""
    print(json.dumps(document, indent=2, allow_nan=False))  # ASCII: a hostile name cannot act on a terminal


def say(sentence: str) -> None:
    """Tell the person something that is not the result."""
    print(sentence, file=sys.stderr)


@cache
def stdout() -> "Console":
    """The console for tables, which are results."""
    from rich.console import Console

    return Console(highlight=False)


@cache
def stderr() -> "Console":
    """The console for progress.

    It has a descriptor of its own: while a toolchain's chatter on stderr is silenced, the bar goes on moving.
    """
    from rich.console import Console

    if sys.__stderr__ is None:
        return Console(stderr=True, highlight=False)
    own = os.fdopen(os.dup(sys.__stderr__.fileno()), "w", encoding="utf-8")
    atexit.register(own.close)
    return Console(file=own, highlight=False)


def progress() -> "Progress":
    """A progress bar with what is done, the share, and the time left; it vanishes when done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=stderr(),
        transient=True,
    )
