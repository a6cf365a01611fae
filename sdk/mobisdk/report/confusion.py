"""A confusion matrix as a table for the terminal."""

from rich import box
from rich.table import Table
from rich.text import Text

from mobisdk.accuracy import Evaluation
from mobisdk.report.printable import printable

_LONGEST_HEADING = 4


def build_confusion_table(evaluation: Evaluation) -> Table:
    """A row is what images are, a column what they were named: its number where names are long."""
    names = [printable(name) for name in evaluation.classes]
    headings = names
    if max(map(len, names)) > _LONGEST_HEADING:
        headings = [str(number) for number in range(len(names))]
        names = [f"{number} {name}" for number, name in zip(headings, names, strict=True)]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), show_edge=False)
    table.add_column("")
    for heading in (*headings, "right"):
        table.add_column(Text(heading), justify="right", no_wrap=True)
    rows = zip(names, evaluation.confusion.tolist(), evaluation.recalls, strict=True)
    for place, (name, counts, recall) in enumerate(rows):
        cells = [Text(str(count) if count else "·", style="" if count else "dim") for count in counts]
        cells[place].stylize("bold")
        table.add_row(Text(name), *cells, Text("" if recall is None else f"{recall:.0%}"))
    return table
