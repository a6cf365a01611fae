"""Parquet with a column of encoded images: one file, or a folder with `train*.parquet` and `test*.parquet`."""

import bisect
import contextlib
import itertools
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mobisdk.data.dataset import Dataset, ImageRef, drop_shared, hold_out
from mobisdk.errors import DataError

_IMAGE_COLUMNS = ("image", "bytes", "img")
_LABEL_COLUMNS = ("label", "labels")
_NAME_COLUMN = "label_name"
_HELD_OUT_NAMES = ("test", "val", "validation")


def open_parquet(path: Path) -> Dataset:
    """Read the labels; the images stay in the file, and are read a row group at a time.

    Images are a column of bytes, or of {bytes, path} as the Hugging Face hub writes them. Classes are in the labels'
    order, and called by the `label_name` column where there is one. In a folder, files whose names start with `train`
    and `test` (or `val`) are the splits; else a fifth of each class is held out.

    Raises:
        DataError: a file is damaged, a column is missing or of another type, a label is missing, one class only, or
            a class with no image in a split.
    """
    tables = [[_Table(file) for file in group] for group in _group_files(path)]
    names = {label: name for table in itertools.chain(*tables) for label, name in table.labels}
    labels = sorted(names)
    index = {label: position for position, label in enumerate(labels)}
    splits = [[image for table in group for image in table.images(index)] for group in tables]
    train, test, duplicates = drop_shared(*splits) if len(splits) == 2 else hold_out(splits[0])
    return Dataset(str(path), tuple(names[label] for label in labels), train, test, duplicates)


def _group_files(path: Path) -> list[list[Path]]:
    """The files to train with and the files to test with, or all files where they are not split."""
    if not path.is_dir():
        return [[path]]
    by_word: dict[str, list[Path]] = {}
    for file in sorted(path.glob("*.parquet")):
        word = re.match(r"[a-z]*", file.stem)
        by_word.setdefault(word.group() if word else "", []).append(file)
    held_out = next((name for name in _HELD_OUT_NAMES if name in by_word), None)
    if held_out and "train" in by_word:
        return [by_word["train"], by_word[held_out]]
    return [list(itertools.chain(*by_word.values()))]


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
        self._group = -1
        self._images: Any = None

    def images(self, index: dict[Any, int]) -> list[ImageRef]:
        """One reference a row, with `index` of its label."""
        return [
            ImageRef(f"{self._path} row {row}", index[label], partial(self._read_image, row))
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

    def _read_image(self, row: int) -> bytes:
        """The encoded file, from the row group that was read last where it is there: rows are read in order."""
        group = bisect.bisect_right(self._starts, row) - 1
        if group != self._group:
            with self._refusing_damage():
                self._images = self._file.read_row_group(group, columns=[self._image_column])[self._image_column]
            self._group = group
        value = self._images[row - self._starts[group]].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        return content or b""  # decoding names the row that has none
