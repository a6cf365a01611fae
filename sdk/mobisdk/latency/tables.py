"""Logs of any size as Arrow tables: blocks of lines are read by several threads, and no row is a Python object."""

import collections
import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mobisdk.errors import DataError
from mobisdk.latency.columns import OddLine, read_block
from mobisdk.latency.log import LONGEST_LINE_BYTES
from mobisdk.latency.log_files import damage_told, find_log_files, is_parquet, open_log, read_lines
from mobisdk.latency.parquet import find_shared, hash_ids, inspect_parquet, read_batches
from mobisdk.latency.run_columns import run_schema
from mobisdk.latency.store import SetAside

_Ints = NDArray[np.int64]
_Part = tuple[pa.Table, _Ints, list[SetAside]]
"""Runs, the line or row of each, and what is none."""

BLOCK_BYTES: Final = 16 * 2**20
"""What is the same for every block, some milliseconds, is then little beside its lines."""


@dataclasses.dataclass(frozen=True)
class LogTables:
    """What logs hold: runs as columns, files of Parquet that an engine reads by itself, and what was set aside."""

    files: tuple[Path, ...]
    runs: pa.Table
    """Of `run_schema`; each run once."""
    parquet: tuple[Path, ...]
    set_aside: tuple[SetAside, ...]
    duplicates: int


def read_tables(paths: Iterable[Path]) -> LogTables:
    """Read logs as `store.read_logs` does, at size.

    Raises:
        DataError: a path does not exist, a folder holds no log, or a file is no Parquet log.
        OSError: a file cannot be read.
    """
    files = find_log_files(paths)
    tables: list[pa.Table] = []
    origins: list[tuple[Path, _Ints]] = []
    set_aside: list[SetAside] = []

    def take(path: Path, parts: Iterable[_Part]) -> None:
        for table, numbers, asides in parts:
            tables.append(table)
            origins.append((path, numbers))
            set_aside.extend(asides)

    for path in files:
        if not is_parquet(path):
            take(path, read_file(path))
    inspected = inspect_parquet([path for path in files if is_parquet(path)])
    shared = find_shared([*map(hash_ids, tables), *(found.ids for found in inspected)])
    left_to_engine = []
    for found in inspected:
        if not found.is_whole:
            take(found.path, read_columns_of(found.path, read_lines(found.path)))
        elif shared.size and np.isin(found.ids, shared).any():
            take(found.path, _number(read_batches(found.path)))
        else:
            left_to_engine.append(found.path)
    runs = pa.concat_tables(tables) if tables else run_schema().empty_table()
    runs, copies, clashes = _drop_copies(runs, origins)
    return LogTables(tuple(files), runs, tuple(left_to_engine), (*set_aside, *clashes), copies)


def _number(batches: Iterable[pa.Table]) -> Iterator[_Part]:
    first = 1
    for table in batches:
        yield table, np.arange(first, first + table.num_rows), []
        first += table.num_rows


def read_file(path: Path) -> Iterator[_Part]:
    """Read one log of JSON Lines block by block: its runs, the line of each, and the lines that are none.

    Raises:
        OSError: it cannot be read.
    """
    workers = max(os.cpu_count() or 1, 1)
    waiting: collections.deque[tuple[int, Future[tuple[pa.Table, _Ints, list[OddLine]]]]] = collections.deque()
    line = 1
    damage: list[SetAside] = []

    def take() -> _Part:
        first, future = waiting.popleft()
        table, numbers, odd = future.result()
        return table, numbers + first, [SetAside(path, first + each.number, each.reason) for each in odd]

    with ThreadPoolExecutor(workers) as pool:
        try:
            with damage_told(), open_log(path) as file:
                for text, lines in _split(file):
                    waiting.append((line, pool.submit(read_block, text)))
                    line += lines
                    if len(waiting) > 2 * workers:
                        yield take()
        except DataError as error:
            damage.append(SetAside(path, line, str(error)))
        while waiting:
            yield take()
    if damage:
        yield run_schema().empty_table(), np.empty(0, dtype=np.int64), damage


def read_columns_of(path: Path, lines: Iterable[bytes]) -> Iterator[_Part]:
    """Read lines that something else than a file of them gives, such as the rows of Parquet or a store."""
    first, size = 1, 0
    block: list[bytes] = []
    for line in itertools.chain(lines, [b""]):
        block.append(line if line.endswith(b"\n") else line + b"\n")
        size += len(line)
        if size < BLOCK_BYTES and line:
            continue
        table, numbers, odd = read_block(b"".join(block))
        yield table, numbers + first, [SetAside(path, first + each.number, each.reason) for each in odd]
        first, block, size = first + len(block), [], 0


def _split(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Cut a file into blocks of whole lines, and count them; of an endless line only its beginning is kept."""
    rest = b""
    while chunk := file.read(BLOCK_BYTES):
        end = chunk.rfind(b"\n") + 1
        if end:
            block = rest + chunk[:end]
            rest = chunk[end:]
            yield block, block.count(b"\n")
        elif len(rest) <= LONGEST_LINE_BYTES:
            rest += chunk
    if rest:
        yield rest, 1


def _drop_copies(runs: pa.Table, origins: list[tuple[Path, _Ints]]) -> tuple[pa.Table, int, list[SetAside]]:
    """Keep the first of each run; count its copies, and set aside another run of the same id."""
    ids = pc.utf8_lower(runs["run_id"]).combine_chunks().dictionary_encode()
    if len(ids.dictionary) == len(ids):
        return runs, 0, []
    codes = ids.indices.to_numpy()
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
