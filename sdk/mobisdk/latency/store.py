"""Read any number of logs: what is whole becomes runs, what is not is set aside and counted, and nothing stops it."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from mobisdk.errors import DataError
from mobisdk.latency.log import SCHEMA, to_run
from mobisdk.latency.log_files import SetAside, find_log_files, is_parquet, read_lines, to_document
from mobisdk.latency.parquet import ParquetLog, find_shared, hash_ids, inspect_parquet, read_batches
from mobisdk.latency.record import LatencyRun
from mobisdk.latency.run_columns import OPEN, run_schema
from mobisdk.latency.tables import Ints, Part, read_columns_of, read_file

pc: Any = pyarrow.compute


@dataclasses.dataclass(frozen=True, eq=False)
class LogSet:
    """What the logs hold. Each run is there once, however often its line was copied; `duplicates` counts the copies."""

    files: tuple[Path, ...]
    table: pa.Table
    """Runs, a row each, columns as in `run_schema`."""
    set_aside: tuple[SetAside, ...]
    duplicates: int
    parquet: tuple[Path, ...] = ()
    """Files that an engine reads by itself: their runs are not in the table."""

    @cached_property
    def runs(self) -> tuple[LatencyRun, ...]:
        """The runs of the table as values, for what is about single ones."""
        return read_values(self.table)


def read_values(table: pa.Table) -> tuple[LatencyRun, ...]:
    """Make values of rows."""
    return tuple(to_run(to_document(row)) for row in table.to_pylist())


def collect_runs(
    files: Sequence[Path], runs: Iterable[LatencyRun], set_aside: Sequence[SetAside] = (), duplicates: int = 0
) -> LogSet:
    """Make the set of runs that are values already, as those that were measured just now."""
    return LogSet(
        tuple(files), pa.Table.from_pylist([_to_row(run) for run in runs], run_schema()), tuple(set_aside), duplicates
    )


def _to_row(run: LatencyRun) -> dict[str, Any]:
    row = {"schema": SCHEMA} | dataclasses.asdict(run)
    for part, name in OPEN:
        if row[part][name] is not None:
            row[part][name] = json.dumps(row[part][name])
    return row


def read_logs(paths: Iterable[Path], others: Iterable[tuple[Path, Iterable[bytes]]] = ()) -> LogSet:
    """Read files, patterns such as `runs/*.jsonl`, and every log below folders: JSON Lines and Parquet.

    A file that is damaged, or was cut, is set aside from there on. `others` are lines from elsewhere, and what to
    call their place.

    Raises:
        DataError: a path does not exist, or a folder holds no log.
        OSError: a file cannot be read.
    """
    files = find_log_files(paths)
    found = _Found()
    for path in files:
        found.take(path, _read_parquet(path) if is_parquet(path) else read_file(path))
    for path, lines in others:
        files.append(path)
        found.take(path, read_columns_of(path, lines))
    return found.to_set(files)


def read_tables(paths: Iterable[Path]) -> LogSet:
    """Read logs as `read_logs` does, for an engine: Parquet stays where it is, unless a row of it is odd.

    Raises:
        DataError: a path does not exist, a folder holds no log, or a file is no Parquet log.
        OSError: a file cannot be read.
    """
    files = find_log_files(paths)
    found = _Found()
    for path in files:
        if not is_parquet(path):
            found.take(path, read_file(path))
    inspected = inspect_parquet([path for path in files if is_parquet(path)])
    shared = find_shared([*map(hash_ids, found.tables), *(each.ids for each in inspected)])
    left_to_engine = []
    for each in inspected:
        if each.is_whole and not (shared.size and np.isin(each.ids, shared).any()):
            left_to_engine.append(each.path)
        else:
            found.take(each.path, _read_inspected(each))
    return dataclasses.replace(found.to_set(files), parquet=tuple(left_to_engine))


def _read_parquet(path: Path) -> Iterator[Part]:
    try:
        (inspected,) = inspect_parquet([path])
    except DataError as error:
        inspected = None
        yield run_schema().empty_table(), np.empty(0, dtype=np.int64), [SetAside(path, 1, str(error))]
    if inspected is not None:
        yield from _read_inspected(inspected)


def _read_inspected(inspected: ParquetLog) -> Iterator[Part]:
    if not inspected.is_whole:
        yield from read_columns_of(inspected.path, read_lines(inspected.path))
        return
    first = 1
    for table in read_batches(inspected.path):
        yield table, np.arange(first, first + table.num_rows), []
        first += table.num_rows


class _Found:
    """What was read so far."""

    def __init__(self) -> None:
        self.tables: list[pa.Table] = []
        self._origins: list[tuple[Path, Ints]] = []
        self._set_aside: list[SetAside] = []

    def take(self, path: Path, parts: Iterable[Part]) -> None:
        for table, numbers, asides in parts:
            order = np.argsort(numbers)  # runs of odd lines come last
            self.tables.append(table if (np.diff(order) > 0).all() else table.take(order))
            self._origins.append((path, numbers[order]))
            self._set_aside.extend(asides)

    def to_set(self, files: Sequence[Path]) -> LogSet:
        runs = pa.concat_tables([*self.tables, run_schema().empty_table()])
        runs, copies, clashes = _drop_copies(runs, self._origins)
        return LogSet(tuple(files), runs, (*self._set_aside, *clashes), copies)


def _drop_copies(runs: pa.Table, origins: list[tuple[Path, Ints]]) -> tuple[pa.Table, int, list[SetAside]]:
    """Keep the first of each run; count its copies, and set aside another run of the same id."""
    ids = pc.utf8_lower(runs["run_id"]).combine_chunks().dictionary_encode()
    if len(ids.dictionary) == len(ids):
        return runs, 0, []
    codes = ids.indices.to_numpy(zero_copy_only=False)
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    again = np.ones(len(codes), dtype=bool)
    again[first] = False
    places = np.flatnonzero(again)
    clashes = []
    starts = np.cumsum([0, *(len(numbers) for _, numbers in origins)])
    for place in places.tolist():
        earlier = int(first[inverse[place]])
        one, other = (runs.slice(row, 1).drop_columns("run_id") for row in (earlier, place))
        if not one.equals(other):
            origin = int(np.searchsorted(starts, place, side="right")) - 1
            path, numbers = origins[origin]
            run_id = runs["run_id"][place].as_py()
            line = int(numbers[place - starts[origin]])
            clashes.append(SetAside(path, line, f"run_id {run_id} is another run's already"))
    return runs.filter(pa.array(~again)), len(places) - len(clashes), clashes
