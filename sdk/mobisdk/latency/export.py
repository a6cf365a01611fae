"""Logs as Parquet, parted by device and day: what engines read many times, and a cluster in parts."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from mobisdk.errors import ConfigError, DataError
from mobisdk.files import folder_atomically
from mobisdk.latency.log_files import SetAside, find_log_files, is_parquet, read_lines
from mobisdk.latency.tables import read_columns_of, read_file

pc: Any = pyarrow.compute
"""Its stubs know less of arrays than is needed here."""
_LONGEST_NAME: Final = 40
_HASH_DIGITS: Final = 8
_ROWS_A_GROUP: Final = 4096
_MOST_OPEN: Final = 128
"""Files that are written at once; past it they are closed, and their parts get numbers."""


def export_parquet(paths: Iterable[Path], target: Path) -> tuple[int, list[SetAside]]:
    """Write every run to `target/device_name=…/day=…/part-N.parquet`, which appears whole or not at all.

    Returns how many runs were written, each once, and the lines that are none.

    Raises:
        DataError: there is no run.
        ConfigError: `target` is there already.
        OSError: the disk is full, or a file cannot be read or written.
    """
    if target.exists():
        raise ConfigError("the export would write over something", got=str(target), hint="Name a new folder")
    written = 0
    set_aside: list[SetAside] = []
    seen: set[str] = set()
    with folder_atomically(target) as folder:
        writers = _Writers(folder)
        try:
            for table, asides in _read_tables(paths):
                set_aside.extend(asides)
                fresh = _keep_fresh(table, seen)
                written += fresh.num_rows
                writers.write(fresh)
        finally:
            writers.close()
        if not written:
            raise DataError("no run in these logs", got=[str(aside.reason) for aside in set_aside[:1]])
    return written, set_aside


def _read_tables(paths: Iterable[Path]) -> Iterator[tuple[pa.Table, list[SetAside]]]:
    for path in find_log_files(paths):
        parts = read_columns_of(path, read_lines(path)) if is_parquet(path) else read_file(path)
        for table, _, asides in parts:
            yield table, asides


def _keep_fresh(table: pa.Table, seen: set[str]) -> pa.Table:
    ids = pc.utf8_lower(table["run_id"]).to_pylist()
    fresh = []
    for run_id in ids:
        fresh.append(run_id not in seen)
        seen.add(run_id)
    return table if all(fresh) else table.filter(pa.array(fresh))


class _Writers:
    """One Parquet file open for each device and day."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[Path, pq.ParquetWriter] = {}
        self._parts = 0

    def write(self, table: pa.Table) -> None:
        if not table.num_rows:
            return
        device = table["device"].combine_chunks()
        names = pc.struct_field(device, "model")
        days = pc.utf8_slice_codeunits(table["started_at"].combine_chunks(), 0, 10)
        keys = pc.binary_join_element_wise(names, days, "\0").dictionary_encode()
        for code, key in enumerate(keys.dictionary.to_pylist()):
            name, _, day = key.rpartition("\0")
            place = self._folder / f"device_name={name_folder(name)}" / f"day={day}"
            self._writer(place, table.schema).write_table(
                table.filter(pc.equal(keys.indices, code)), row_group_size=_ROWS_A_GROUP
            )

    def _writer(self, place: Path, schema: pa.Schema) -> pq.ParquetWriter:
        if place not in self._open:
            if len(self._open) >= _MOST_OPEN:
                self.close()
            place.mkdir(parents=True, exist_ok=True)
            self._parts += 1
            self._open[place] = pq.ParquetWriter(place / f"part-{self._parts}.parquet", schema, compression="zstd")
        return self._open[place]

    def close(self) -> None:
        for writer in self._open.values():
            writer.close()
        self._open.clear()


def name_folder(device: str) -> str:
    """Name a folder after a device, whatever that calls itself; names that differ in other signs differ in the hash."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", device).strip("-")[:_LONGEST_NAME]
    return f"{plain or 'device'}-{hashlib.sha256(device.encode()).hexdigest()[:_HASH_DIGITS]}"
