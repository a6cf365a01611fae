"""Logs in Parquet that an engine may read by itself: every row is checked, and its run is nowhere else.

What was exported is whole, but a file may come from anywhere. A file with a row that is no run, or with a run that
another log has too, is read row by row instead, so that both analyses set aside and count the same.
"""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mobisdk.errors import DataError
from mobisdk.latency.column_checks import check_runs
from mobisdk.latency.run_columns import run_schema

pc: Any = pyarrow.compute
Hashes = NDArray[np.uint64]
_ROWS: Final = 8192
_ID_BYTES: Final = 36
_WORDS: Final = 5
"""An id as whole numbers of eight bytes, the last one filled up."""
_ODD: Final = np.array(
    [0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F], np.uint64
)
_LOWER_CASE: Final = 0x20
"""This bit makes a letter a small one, and digits and hyphens have it already."""


@dataclasses.dataclass(frozen=True)
class ParquetLog:
    """What was found in a file: whether every row is a run, and a hash of each run's id."""

    path: Path
    is_whole: bool
    ids: Hashes


def inspect_parquet(paths: Sequence[Path]) -> list[ParquetLog]:
    """Check every row of every file.

    Raises:
        DataError: a file is no Parquet, or has other columns.
    """
    for path in paths:
        _check_columns(path)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_inspect, paths))


def read_batches(path: Path) -> Iterator[pa.Table]:
    """Give the rows in tables of `run_schema`."""
    schema = run_schema()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_ROWS, columns=schema.names):
            yield pa.Table.from_batches([batch]).select(schema.names).cast(schema)


def hash_ids(table: pa.Table) -> Hashes:
    """Hash the ids of runs, whether they are written in small or large letters."""
    ids: Any = table["run_id"].combine_chunks()
    if not len(ids):
        return np.empty(0, np.uint64)
    first = ids.offset and int(np.frombuffer(ids.buffers()[1], np.int32)[ids.offset])
    signs = np.frombuffer(ids.buffers()[2], np.uint8)[first : first + _ID_BYTES * len(ids)]
    words = np.zeros((len(ids), 8 * _WORDS), np.uint8)
    words[:, :_ID_BYTES] = signs.reshape(len(ids), _ID_BYTES) | _LOWER_CASE
    mixed = words.view(np.uint64) * _ODD
    mixed ^= mixed >> np.uint64(29)
    return np.asarray(np.bitwise_xor.reduce(mixed * _ODD[::-1], axis=1))


def find_shared(hashes: Sequence[Hashes]) -> Hashes:
    """Find the hashes that are there more than once, sorted."""
    every = np.sort(np.concatenate([*hashes, np.empty(0, np.uint64)]))
    return np.unique(every[1:][every[1:] == every[:-1]])


def _inspect(path: Path) -> ParquetLog:
    hashes = []
    try:
        for table in read_batches(path):
            table.validate(full=True)
            if not check_runs(table).all():
                return ParquetLog(path, False, np.empty(0, np.uint64))
            hashes.append(hash_ids(table))
    except (pa.ArrowException, OSError):  # row by row it is told where the damage is
        return ParquetLog(path, False, np.empty(0, np.uint64))
    return ParquetLog(path, True, np.concatenate([*hashes, np.empty(0, np.uint64)]))


def _check_columns(path: Path) -> None:
    try:
        schema = pq.read_schema(path)
    except pa.ArrowException as error:
        raise DataError(f"{str(path)!r} is no Parquet log: {str(error).splitlines()[0]}") from error
    wrong = [field.name for field in run_schema() if field.name not in schema.names or not _same(schema, field)]
    if wrong:
        raise DataError(
            f"{str(path)!r} is no Parquet log: its column {wrong[0]} is missing or of another type",
            hint="`mobisdk logs export --parquet` writes one",
        )


def _same(schema: pa.Schema, field: "pa.Field[Any]") -> bool:
    found = schema.field(field.name).type
    if pa.types.is_dictionary(found):
        found = found.value_type
    return bool(found == field.type)
