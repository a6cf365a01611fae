"""A device's figures as a table for a page: every text beside the value that it sorts by."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from mobisdk.latency.analysis import GroupReport, WarmReport
from mobisdk.latency.stats import Quantile
from mobisdk.report.accuracy import Accuracy, format_accuracy
from mobisdk.report.labels import Row, network_labels, runtime_label, threads_label
from mobisdk.report.numbers import format_interval_ms, format_ms
from mobisdk.report.printable import printable


@dataclasses.dataclass(frozen=True)
class Cell:
    """A text, the value that it sorts by (None: last), and what a pointer resting on it is told."""

    text: str
    value: str | float | None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of cells, top to bottom."""

    name: str
    unit: str
    is_text: bool
    cells: tuple[Cell, ...]


@dataclasses.dataclass(frozen=True)
class SortableTable:
    """Columns, and above them what all rows share."""

    shared: str
    columns: tuple[Column, ...]

    @property
    def rows(self) -> list[tuple[tuple[Column, Cell], ...]]:
        """Each row's cells beside their columns."""
        columns = self.columns
        return [
            tuple(zip(columns, cells, strict=True)) for cells in zip(*(column.cells for column in columns), strict=True)
        ]


_Reader = Callable[[GroupReport, WarmReport | None], Cell]


def build_sortable_table(rows: Sequence[Row], accuracies: Mapping[str, Accuracy]) -> SortableTable:
    """Build the table of `rows`: what all of them share stands above it, and a column without a text is left out."""

    def column(name: str, unit: str, read: _Reader, *, is_text: bool = False) -> Column:
        return Column(name, unit, is_text, tuple(read(group, warm) for group, warm in rows))

    settings = [
        column("recipe", "", lambda group, _: _text(group.bundle.recipe), is_text=True),
        column("runtime", "", lambda group, _: _text(runtime_label(group)), is_text=True),
        column("threads", "", lambda group, _: Cell(_threads(group), group.runtime.threads or 0)),
        column("mode", "", lambda _, warm: _text(warm.mode if warm else "cold"), is_text=True),
    ]
    names = tuple(Cell(name, place) for place, name in enumerate(network_labels(rows)))
    shared = [setting for setting in settings if len({cell.text for cell in setting.cells}) == 1]
    figures = [
        column("p50", "ms, 95 % interval", lambda _, warm: _median(warm.p50 if warm else None)),
        column("p90", "ms", lambda _, warm: _quantile(warm.p90 if warm else None)),
        column("p99", "ms", lambda _, warm: _quantile(warm.p99 if warm else None)),
        column("cold load", "ms", lambda group, _: _quantile(group.cold[0].load if group.cold else None)),
        column("first inference", "ms", lambda group, _: _first(group)),
        column("images", "per s", lambda _, warm: _rate(warm.images_per_s if warm else None)),
        column("accuracy", "%, 95 % interval", lambda group, _: _accuracy(accuracies.get(group.bundle.variant_id))),
        column("runs", "", lambda _, warm: Cell(f"{warm.runs:,}", warm.runs) if warm else Cell("", None)),
    ]  # fmt: skip
    columns = [
        Column("network", "", is_text=True, cells=names),
        *(setting for setting in settings if setting not in shared),
        *(figure for figure in figures if any(cell.text for cell in figure.cells)),
    ]
    told = ", ".join(
        threads_label(rows[0][0]) if setting.name == "threads" else setting.cells[0].text for setting in shared
    )
    return SortableTable(told, tuple(columns))


def _text(text: str) -> Cell:
    return Cell(printable(text), printable(text))


def _threads(group: GroupReport) -> str:
    return "auto" if group.runtime.threads is None else str(group.runtime.threads)


def _median(quantile: Quantile | None) -> Cell:
    return dataclasses.replace(_quantile(quantile), text=format_interval_ms(quantile))


def _quantile(quantile: Quantile | None) -> Cell:
    if quantile is None:
        return Cell("", None)
    sure = f"no interval: {quantile.reason}" if quantile.reason else f"{format_interval_ms(quantile)} ms"
    return Cell(format_ms(quantile), quantile.value_ns, sure)


def _first(group: GroupReport) -> Cell:
    return _quantile(group.cold[0].first_inference if group.cold else None)


def _rate(rate: float | None) -> Cell:
    if rate is None:
        return Cell("", None)
    return Cell(f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}", rate)


def _accuracy(accuracy: Accuracy | None) -> Cell:
    if accuracy is None:
        return Cell("", None)
    return Cell(format_accuracy(accuracy), accuracy.share, f"of {accuracy.images:,} images")
