"""What groups are called where several stand side by side: as short as tells them apart."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from mobisdk.latency.analysis import GroupReport, WarmReport, format_alpha
from mobisdk.report.printable import printable

Row = tuple[GroupReport, WarmReport | None]
"""A group in one warm mode; none where only cold starts were measured."""


def table_rows(groups: Iterable[GroupReport]) -> tuple[Row, ...]:
    """A row for each group and warm mode, or for its cold starts alone."""
    return tuple((group, warm) for group in groups for warm in group.warm or (None,))


def network_labels(rows: Sequence[Row]) -> list[str]:
    """Name each row's network, and its variant too where two would look the same."""
    looks: defaultdict[tuple[str | int | None, ...], set[str]] = defaultdict(set)
    for group, _ in rows:
        looks[_looks(group)].add(group.bundle.variant_id)
    return [
        printable(group.variant_label) + f" ({group.bundle.variant_id[:8]})" * (len(looks[_looks(group)]) > 1)
        for group, _ in rows
    ]


def dials_labels(rows: Sequence[Row]) -> list[str]:
    """`0.25 at 128` where every row is of one architecture; the network's whole name elsewhere."""
    names = network_labels(rows)
    archs = {group.bundle.arch for group, _ in rows}
    arch = archs.pop() if len(archs) == 1 else None
    has_dials = arch and all(group.bundle.alpha and group.bundle.resolution for group, _ in rows)
    return [name.removeprefix(f"{printable(arch)} ") for name in names] if arch and has_dials else names


def alpha_label(alpha: float) -> str:
    """`α 0.25`."""
    return f"α {format_alpha(alpha)}"


def runtime_label(group: GroupReport) -> str:
    """`executorch 1.4.1, xnnpack`."""
    runtime = group.runtime
    named = [f"{runtime.name} {runtime.version}", runtime.backend_requested, runtime.compute_units]
    return printable(", ".join(filter(None, named)))


def threads_label(group: GroupReport) -> str:
    """`4 threads`; `auto threads` where the runtime decides."""
    threads = group.runtime.threads
    return "auto threads" if threads is None else f"{threads} thread{'s' * (threads != 1)}"


def _looks(group: GroupReport) -> tuple[str | int | None, ...]:
    return group.variant_label, group.bundle.recipe, runtime_label(group), group.runtime.threads
