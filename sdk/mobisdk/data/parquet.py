"""Parquet with a column of encoded images: one file, or a folder with `train*.parquet` and `test*.parquet`."""

import bisect
import contextlib
import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mobisdk.data.dataset import Dataset, ImageRef, drop_shared, group_files, hold_out
from mobisdk.errors import DataError

_IMAGE_COLUMNS = ("image", "bytes", "img")
_LABEL_COLUMNS = ("label", "labels")
_NAME_COLUMN = "label_name"
_GROUPS_KEPT = 8
"""Row groups in memory: those that are read from and the next ones."""


def open_parquet(path: Path) -> Dataset:
    """Read the labels; the images stay in the file, and are read a row group at a time.

    Images are a column of bytes, or of {bytes, path} as the Hugging Face hub writes them. Classes are in the labels'
    order, and called by the `label_name` column where there is one. In a folder, files whose names start with `train`
    and `test` (or `val`) are the splits; else a fifth of each class is held out.

    Raises:
        DataError: a file is damaged, a column is missing or of another type, a label is missing, one class only, or
            a class with no image in a split.
    """
    tables = [[_Table(file) for file in group] for group in group_files(path, ".parquet")]
    names = {label: name for table in itertools.chain(*tables) for label, name in table.labels}
    labels = sorted(names)
    index = {label: position for position, label in enumerate(labels)}
    splits = [[image for table in group for image in table.images(index)] for group in tables]
    train, test, duplicates = drop_shared(*splits) if len(splits) == 2 else hold_out(splits[0])
    return Dataset(str(path), tuple(names[label] for label in labels), train, test, duplicates)


class _Table:
    """One file: its labels, and its images on demand."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._refusing_damage():
            self._file = pq.ParquetFile(path)
        self._image_column = self._find(_IMAGE_COLUMNS)
        self._check_images()
        self.labels = self._read_labels()
        metadata = self._file.metadata
        counts = (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
        self._starts = list(itertools.accumulate(counts, initial=0))
        self._groups: OrderedDict[int, Any] = OrderedDict()
        """Images of the row groups that were read last."""
        self._lock = threading.Lock()

    def images(self, index: dict[Any, int]) -> list[ImageRef]:
        """One reference a row, with `index` of its label."""
        return [
            ImageRef(
                f"{self._path} row {row}",
                index[label],
                partial(self._read_image, row),
                f"{self._path} {self._group_of(row)}",
            )
            for row, (label, _) in enumerate(self.labels)
        ]

    @contextlib.contextmanager
    def _refusing_damage(self) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"the Parquet file cannot be read ({error})", got=str(self._path)) from error

    def _find(self, wanted: Sequence[str]) -> str:
        present = self._file.schema_arrow.names
        for name in wanted:
            if name in present:
                return name
        raise DataError(f"{self._path} lacks a column", got=present, allowed=" or ".join(wanted))

    def _check_images(self) -> None:
        kind = self._file.schema_arrow.field(self._image_column).type
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            raise DataError(
                f"column {self._image_column} of {self._path} holds no encoded images", got=str(kind), allowed="binary"
            )

    def _read_labels(self) -> list[tuple[Any, str]]:
        """Label and class name of every row."""
        label_column = self._find(_LABEL_COLUMNS)
        name_column = _NAME_COLUMN if _NAME_COLUMN in self._file.schema_arrow.names else label_column
        with self._refusing_damage():
            table = self._file.read(columns=sorted({label_column, name_column}))
        labels = table[label_column].to_pylist()
        if None in labels:
            raise DataError("an image has no label", got=f"{self._path} row {labels.index(None)}")
        return list(zip(labels, map(str, table[name_column].to_pylist()), strict=True))

    def _group_of(self, row: int) -> int:
        return bisect.bisect_right(self._starts, row) - 1

    def _read_image(self, row: int) -> bytes:
        """The encoded file, from a row group in memory: rows are read in order, or those of a few groups mixed."""
        group = self._group_of(row)
        with self._lock:
            if group not in self._groups:
                with self._refusing_damage():
                    table = self._file.read_row_group(group, columns=[self._image_column])
                self._groups[group] = table[self._image_column]
                if len(self._groups) > _GROUPS_KEPT:
                    self._groups.popitem(last=False)
            self._groups.move_to_end(group)
            value = self._groups[group][row - self._starts[group]].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        return content or b""  # decoding names the row that has none
