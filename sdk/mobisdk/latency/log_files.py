"""Where runs lie: JSON Lines, compressed or not, and Parquet; by name, in folders, or by a pattern."""

import contextlib
import dataclasses
import glob
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, cast

from mobisdk.errors import DataError
from mobisdk.latency.log import LONGEST_LINE_BYTES

PARQUET: Final = ".parquet"
SUFFIXES: Final = (".jsonl", ".jsonl.gz", ".jsonl.zst", PARQUET)
_PARQUET_ROWS = 64
"""Rows of Parquet that are held at a time: a sustained run has a hundred thousand samples."""


@dataclasses.dataclass(frozen=True)
class SetAside:
    """A line that is no run: where it is, and why."""

    file: Path
    line: int
    """From 1."""
    reason: str


def find_log_files(paths: Iterable[Path]) -> list[Path]:
    """Every log once, though it be named twice or lie in a folder that is named too.

    Raises:
        DataError: a path does not exist, a pattern fits nothing, or a folder holds no log.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _expand(path):
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _expand(path: Path) -> list[Path]:
    if path.is_dir():
        inside = sorted(file for file in path.rglob("*") if file.name.endswith(SUFFIXES) and file.is_file())
        if not inside:
            raise DataError(
                "the folder holds no log", got=str(path), allowed=f"files that end in {', '.join(SUFFIXES)}"
            )
        return inside
    if path.exists():
        return [path]
    fitting = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
    if not fitting:
        raise DataError("no such log", got=str(path), hint="`mobisdk bench` writes one")
    return [file for each in fitting for file in _expand(each)]


def is_parquet(path: Path) -> bool:
    """Tell a Parquet file by its name."""
    return path.name.endswith(PARQUET)


@contextlib.contextmanager
def open_log(path: Path) -> Iterator[io.BufferedReader]:
    """Open a log of JSON Lines for reading, decompressed by its name's end.

    Raises:
        OSError: it cannot be opened.
    """
    if path.name.endswith(".gz"):
        with gzip.open(path, "rb") as file:
            yield cast(io.BufferedReader, file)  # it has the same methods
    elif path.name.endswith(".zst"):
        import pyarrow as pa

        with pa.input_stream(str(path), compression="zstd") as stream:
            yield io.BufferedReader(cast(Any, stream), 2**20)
    else:
        with path.open("rb") as file:
            yield file


@contextlib.contextmanager
def damage_told() -> Iterator[None]:
    """Turn what a decompressor says of a file that was cut or damaged into a DataError."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"the compressed file is damaged or was cut from here on: {error}") from error
    except OSError as error:
        if error.errno is not None:  # the system's own: Arrow's have none
            raise
        raise DataError(f"the compressed file is damaged or was cut from here on: {error}") from error


def read_lines(path: Path) -> Iterator[bytes]:
    """Give a log's lines with their ends; of an endless one only as much as shows that it is too long.

    Raises:
        DataError: the file is damaged from here on.
        OSError: it cannot be read.
    """
    if is_parquet(path):
        yield from _read_parquet(path)
        return
    with damage_told(), open_log(path) as file:
        while line := file.readline(LONGEST_LINE_BYTES + 1):
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = file.readline(LONGEST_LINE_BYTES)
            yield line


def _read_parquet(path: Path) -> Iterator[bytes]:
    """Give the rows of an exported log as lines, to be held against the contract like any others."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mobisdk.latency.run_columns import run_schema

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS, columns=run_schema().names):
                for row in batch.to_pylist():
                    yield json.dumps(to_document(row), default=str).encode() + b"\n"
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"the file is no Parquet log: {str(error).splitlines()[0]}",
            hint="`mobisdk logs export --parquet` writes one",
        ) from error


def to_document(row: dict[str, Any]) -> dict[str, Any]:
    """Make a row of columns what its line was: the open objects are JSON there."""
    for part, name in (("bundle", "spec"), ("placement", "share")):
        found = row[part]
        if isinstance(found, dict) and found[name] is not None:
            found[name] = json.loads(found[name])
    if row["per_op"] is None:
        del row["per_op"]
    return row
