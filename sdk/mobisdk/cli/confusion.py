"""What a network takes for what, on a terminal."""

from typing import TYPE_CHECKING

from mobisdk.cli.console import stdout

if TYPE_CHECKING:
    from mobisdk.accuracy import Evaluation

PAIRS_SHOWN = 5
_MOST_CLASSES_SHOWN = 20
_ANY_WIDTH = 10_000
"""A matrix that is wider than the terminal is left out: cut, its numbers would be others."""


def print_confusion(evaluation: "Evaluation") -> None:
    """Print the matrix where it fits, and the commonest mistakes."""
    from rich.text import Text

    from mobisdk.report.confusion import build_confusion_table
    from mobisdk.report.printable import printable

    out = stdout()
    out.print()
    if len(evaluation.classes) <= _MOST_CLASSES_SHOWN:
        table = build_confusion_table(evaluation)
        if out.measure(table, options=out.options.update(max_width=_ANY_WIDTH)).maximum <= out.width:
            out.print("What the images are, in rows, and what they were named, in columns:")
            out.print(table)
            out.print()
    out.print("Most confused:" if evaluation.correct < evaluation.images else "Nothing was confused.")
    for cell in evaluation.most_confused(PAIRS_SHOWN):
        out.print(Text(printable(f"  {cell.label} taken for {cell.predicted}: {cell.count} of {cell.images}")))
