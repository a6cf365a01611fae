"""What a latency model learns from: a network, the setting that it ran in, and how long it took."""

import csv
import dataclasses
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from mobisdk.errors import ConfigError, DataError
from mobisdk.latency.analysis import AnalysisReport, GroupReport, WarmReport
from mobisdk.latency.record import Mode
from mobisdk.specs import ModelSpec, spec_from_dict

COLUMNS: Final = ("arch", "alpha", "resolution", "latency_ms")
OPTIONAL_COLUMNS: Final = ("device", "recipe")
_LARGEST_TABLE_BYTES: Final = 64 * 2**20
_SAME: Final = 1e-9
"""Two figures nearer than this share are the same."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """All that latency depends on besides the network; a table knows its device and recipe alone."""

    device: str
    recipe: str
    runtime: str = ""
    """Name, version, backend and compute units."""
    threads: int | None = None

    @property
    def label(self) -> str:
        """`Pixel 8, xnnpack_fp32, executorch 1.4.1 xnnpack, 4 threads`."""
        threads = f"{self.threads} thread{'s' * (self.threads != 1)}" if self.threads else ""
        return ", ".join(filter(None, [self.device, self.recipe, self.runtime, threads]))


@dataclasses.dataclass(frozen=True)
class Observation:
    """A network's measured latency."""

    setting: Setting
    spec: ModelSpec
    latency_ms: float


def observe_report(report: AnalysisReport, mode: Mode = "burst") -> tuple[Observation, ...]:
    """Take the medians of one mode; networks that are nobody's ModelSpec are left out."""
    return tuple(
        Observation(setting_of(group), spec, warm.p50.value_ns / 1e6) for group, spec, warm in measured(report, mode)
        if warm.p50 is not None and warm.p50.value_ns > 0
    )  # fmt: skip


def measured(report: AnalysisReport, mode: Mode) -> Iterator[tuple[GroupReport, ModelSpec, WarmReport]]:
    """Every group whose network is known, and what it did in `mode`."""
    for group in report.groups:
        spec = _read_spec(group)
        for warm in group.warm:
            if spec is not None and warm.mode == mode and warm.runs:
                yield group, spec, warm


def setting_of(group: GroupReport) -> Setting:
    """Name the setting of a group of runs."""
    runtime = group.runtime
    named = [runtime.name, runtime.version, runtime.backend_requested, runtime.compute_units]
    return Setting(group.device_label, group.bundle.recipe, " ".join(filter(None, named)), runtime.threads)


def _read_spec(group: GroupReport) -> ModelSpec | None:
    if group.bundle.spec is None:
        return None
    try:
        return spec_from_dict(ModelSpec, group.bundle.spec)
    except ConfigError:
        return None  # of a younger program, or of nobody's


def read_latency_table(path: Path) -> tuple[Observation, ...]:
    """Read a CSV of `arch, alpha, resolution, latency_ms[, device, recipe]`.

    Raises:
        DataError: it is no such table, a column is missing, a value is wrong, or two rows disagree.
        ConfigError: an architecture is unknown.
    """
    found: dict[tuple[str, str, ModelSpec], tuple[int, float]] = {}
    for line, row in read_table(path, COLUMNS):
        spec = read_row_spec(path, line, row)
        latency = _read_number(path, line, row, "latency_ms")
        if latency <= 0:
            raise DataError(f"latency_ms in line {line} of {str(path)!r} is wrong", got=latency, allowed="above 0")
        key = (row.get("device") or "", row.get("recipe") or "", spec)
        earlier, before = found.setdefault(key, (line, latency))
        if abs(before / latency - 1) > _SAME:
            raise DataError(
                f"lines {earlier} and {line} of {str(path)!r} disagree about {spec.name}",
                got=[before, latency],
                hint="Keep one, or tell them apart by device or recipe",
            )
    return tuple(
        Observation(Setting(device, recipe), spec, latency) for (device, recipe, spec), (_, latency) in found.items()
    )


def read_row_spec(path: Path, line: int, row: Mapping[str, str]) -> ModelSpec:
    """Read `arch, alpha, resolution` of a row.

    Raises:
        DataError: a value is no number.
        ConfigError: the architecture is unknown, or a value is outside what is allowed.
    """
    from mobisdk.models import list_models

    alpha, resolution = (_read_number(path, line, row, name) for name in ("alpha", "resolution"))
    arch = row["arch"].strip()
    if arch not in list_models():
        raise ConfigError(
            f"arch in line {line} of {str(path)!r} is unknown", got=arch, allowed=", ".join(list_models())
        )
    if resolution != round(resolution):
        raise DataError(f"resolution in line {line} of {str(path)!r} is wrong", got=resolution, allowed="whole pixels")
    return ModelSpec(arch=arch, alpha=alpha, resolution=round(resolution))


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Give each row with its line number; `columns` must be there, others may.

    Raises:
        DataError: the file is no CSV in UTF-8, is empty, or lacks a column.
    """
    if path.stat().st_size > _LARGEST_TABLE_BYTES:
        raise DataError(f"{str(path)!r} is too large for a table", got=path.stat().st_size, allowed="64 MiB")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text), skipinitialspace=True, strict=True)
        names = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = names
        missing = [name for name in columns if name not in names]
        if missing:
            raise DataError(f"{str(path)!r} lacks the column {missing[0]}", got=names, allowed=", ".join(columns))
        rows = [(reader.line_num, row) for row in reader if any(row.values())]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{str(path)!r} is no CSV table: {error}", allowed=", ".join(columns)) from error
    if not rows:
        raise DataError(f"{str(path)!r} has no row below its header", allowed=", ".join(columns))
    for line, row in rows:
        if None in row or any(row[name] in (None, "") for name in columns):
            raise DataError(f"line {line} of {str(path)!r} has not a value for each column", got=list(row.values()))
        yield line, row


def _read_number(path: Path, line: int, row: Mapping[str, str], name: str) -> float:
    try:
        value = float(row[name])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{name} in line {line} of {str(path)!r} is no number", got=row[name])
    return value
