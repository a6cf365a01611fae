"""What `verify` looks at, one thing each, and how a person sees it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mobisdk.cli.console import stdout

if TYPE_CHECKING:
    from rich.table import Table

_MARKS = {True: "ok  ", False: "FAIL", None: "  - "}


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing that was looked at, in words; `ok` is None where this computer cannot tell."""

    name: str
    ok: bool | None
    found: str
    figures: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What was measured, where that is more than the sentence."""
    rows: Sequence[Mapping[str, str]] = ()
    """A table below the sentence: cells by column."""

    def to_document(self) -> dict[str, Any]:
        """What --json prints; the table is for people."""
        return {"name": self.name, "ok": self.ok, "found": self.found, "figures": dict(self.figures)}


def print_checks(name: str, checks: Sequence[Check]) -> None:
    """Print the checks of one file under its name."""
    from mobisdk.report.printable import printable

    stdout().print(printable(name), style="bold", markup=False, soft_wrap=True)
    for check in checks:
        stdout().print(f"  {_MARKS[check.ok]} {check.name}: {printable(check.found)}", markup=False, soft_wrap=True)
        if check.rows:
            stdout().print(_build_table(check.rows))


def _build_table(rows: Sequence[Mapping[str, str]]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from mobisdk.report.printable import printable

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for place, column in enumerate(rows[0]):
        table.add_column(column, justify="right" if place else "left", no_wrap=not place)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row.values()))
    return table
