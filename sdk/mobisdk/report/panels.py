"""A device's rows, parted so that those of one chart differ in nothing but what the chart shows."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from mobisdk.report.labels import Row, runtime_label, threads_label
from mobisdk.report.printable import printable

_DIALS = ("arch", "alpha", "resolution")
_Traits = Mapping[str, str]
"""What rows are parted by, as it is to be read."""


@dataclasses.dataclass(frozen=True)
class Panel:
    """Rows of one kind; `heading` is what tells them from the other panels, and is empty where there is no other."""

    heading: str
    rows: tuple[Row, ...]


def part_by_mode(rows: Iterable[Row]) -> list[Panel]:
    """Part `rows` by mode."""
    return _part(rows, _mode)


def part_by_recipe(rows: Iterable[Row]) -> list[Panel]:
    """Part `rows` by recipe, runtime and thread count."""
    return _part(rows, _recipe)


def part_by_setting(rows: Iterable[Row]) -> list[Panel]:
    """Part `rows` by recipe, runtime, thread count and mode."""
    return _part(rows, lambda row: _recipe(row) | _mode(row))


def part_by_network(rows: Iterable[Row]) -> list[Panel]:
    """Part `rows` by setting, and by all of a network but α and ρ: what is left can be joined by a line."""
    return _part(rows, lambda row: _network(row) | _recipe(row) | _mode(row))


def _part(rows: Iterable[Row], traits_of: Callable[[Row], dict[str, str]]) -> list[Panel]:
    traits: dict[str, _Traits] = {}
    parted: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found = traits_of(row)
        key = json.dumps(found, sort_keys=True)
        traits[key] = found
        parted[key].append(row)
    return [Panel(_tell_apart(traits[key], traits.values()), tuple(members)) for key, members in parted.items()]


def _mode(row: Row) -> dict[str, str]:
    return {"mode": row[1].mode if row[1] else "cold"}


def _recipe(row: Row) -> dict[str, str]:
    group, _ = row
    return {"recipe": group.bundle.recipe, "runtime": runtime_label(group), "threads": threads_label(group)}


def _network(row: Row) -> dict[str, str]:
    bundle = row[0].bundle
    rest = {name: value for name, value in (bundle.spec or {}).items() if name not in _DIALS}
    return {"arch": str(bundle.arch)} | {f"spec {name}": f"{name} {value}" for name, value in rest.items()}


def _tell_apart(traits: _Traits, everyone: Iterable[_Traits]) -> str:
    shown = [text for name, text in traits.items() if any(other.get(name) != text for other in everyone)]
    return printable(", ".join(shown))
