"""A log's blocks as Arrow tables: several threads read them, and no row is a Python object."""

import collections
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import BufferedReader
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mobisdk.errors import DataError
from mobisdk.latency.columns import OddLine, read_block
from mobisdk.latency.log import LONGEST_LINE_BYTES
from mobisdk.latency.log_files import SetAside, damage_told, open_log
from mobisdk.latency.run_columns import run_schema

Ints = NDArray[np.int64]
Part = tuple[pa.Table, Ints, list[SetAside]]
"""Runs, the line or row of each, and what is none."""

BLOCK_BYTES: Final = 16 * 2**20
"""What is the same for every block, some milliseconds, is then little beside its lines."""


def read_file(path: Path) -> Iterator[Part]:
    """Read one log of JSON Lines block by block: its runs, the line of each, and the lines that are none.

    Raises:
        OSError: it cannot be read.
    """
    workers = max(os.cpu_count() or 1, 1)
    waiting: collections.deque[tuple[int, Future[tuple[pa.Table, Ints, list[OddLine]]]]] = collections.deque()
    line = 1
    damage: list[SetAside] = []

    def take() -> Part:
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


def read_columns_of(path: Path, lines: Iterable[bytes]) -> Iterator[Part]:
    """Read lines that something else than a file of them gives, such as the rows of Parquet or a store.

    What is damaged is set aside from there on.
    """
    first, size = 1, 0
    block: list[bytes] = []
    damage: list[SetAside] = []

    def read() -> Part:
        table, numbers, odd = read_block(b"".join(block))
        return table, numbers + first, [SetAside(path, first + each.number, each.reason) for each in odd]

    try:
        for line in lines:
            block.append(line if line.endswith(b"\n") else line + b"\n")
            size += len(line)
            if size >= BLOCK_BYTES:
                yield read()
                first, block, size = first + len(block), [], 0
    except DataError as error:
        damage.append(SetAside(path, first + len(block), str(error)))
    yield read()
    if damage:
        yield run_schema().empty_table(), np.empty(0, dtype=np.int64), damage


def _split(file: BufferedReader) -> Iterator[tuple[bytes, int]]:
    """Cut a file into blocks of whole lines, and count them; of an endless line only its beginning is kept.

    Raises:
        DataError: the file is damaged; what it gave before that was given first.
    """
    rest = b""
    damage = None
    while damage is None:
        chunk, damage = _read_chunk(file)
        if not chunk:
            break
        end = chunk.rfind(b"\n") + 1
        if end:
            block = b"".join([rest, memoryview(chunk)[:end]])
            rest = chunk[end:]
            yield block, block.count(b"\n")
        elif len(rest) <= LONGEST_LINE_BYTES:
            rest += chunk
    if damage is not None:
        raise damage
    if rest:
        yield rest, 1


def _read_chunk(file: BufferedReader) -> tuple[bytes, DataError | None]:
    """Read as much as a block, or up to where the file ends or is damaged."""
    pieces: list[bytes] = []
    size = 0
    try:
        with damage_told():
            while size < BLOCK_BYTES and (piece := file.read1(BLOCK_BYTES - size)):
                pieces.append(piece)
                size += len(piece)
    except DataError as error:
        return b"".join(pieces), error
    return b"".join(pieces), None
