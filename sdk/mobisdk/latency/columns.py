"""A log's lines as Arrow columns, many at a time: no line becomes a Python object, unless something is odd about it.

simdjson reads the samples and Arrow the rest, strictly by the types of the contract; every check is then made on whole
columns. A line that one of them refuses, or that a check finds odd, goes to `log.parse_run`, which alone decides, and
gives the reason.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.json as pj
from numpy.typing import NDArray

from mobisdk.errors import DataError
from mobisdk.latency.column_checks import Column, Mask, check_runs
from mobisdk.latency.log import LONGEST_LINE_BYTES, parse_run, to_json_line
from mobisdk.latency.run_columns import DOCUMENT, OPEN, known_names, reading_schema, run_schema
from mobisdk.latency.sample_lists import cut_samples

pc: Any = pyarrow.compute
_NULL: Final = r'\w"\s*:\s*null'
"""A known key and its null: inside a text, a quote that follows a letter is written with a backslash between."""
_FEW: Final = 4
"""So few lines are not worth another try of Arrow's."""


@dataclasses.dataclass(frozen=True)
class OddLine:
    """A line that is no run: its number in the block, from 0, and why."""

    number: int
    reason: str


def read_block(text: bytes) -> tuple[pa.Table, NDArray[np.int64], list[OddLine]]:
    """Read whole lines as columns of `run_schema`, with the line that each row was, and the lines that are no runs.

    Lines are counted from 0, blank ones too.
    """
    text = text if text.endswith(b"\n") else text + b"\n"
    return _read_lines(_Lines.split(text.replace(b"\r\n", b"\n") if b"\r" in text else text))


@dataclasses.dataclass(frozen=True)
class _Lines:
    """Lines in a buffer: where each begins and ends (without its end), and its number."""

    text: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    numbers: NDArray[np.int64]

    @classmethod
    def split(cls, text: bytes) -> "_Lines":
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
        starts = np.concatenate([[0], ends[:-1] + 1])
        numbers = np.arange(len(ends))
        lines = cls(text, starts, ends, numbers)
        first = lines.bytes_at(starts)
        blank = (first <= ord(" ")) | (starts == ends)
        for place in np.flatnonzero(blank & (starts < ends)).tolist():  # blanks before something are not JSON Lines
            blank[place] = lines.line(place).isspace()
        return lines.part(np.flatnonzero(~blank)) if blank.any() else lines

    def bytes_at(self, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.frombuffer(self.text, np.uint8)[np.minimum(places, len(self.text) - 1)]

    def part(self, places: NDArray[np.int64]) -> "_Lines":
        return _Lines(self.text, self.starts[places], self.ends[places], self.numbers[places])

    def line(self, place: int) -> bytes:
        return self.text[self.starts[place] : self.ends[place]]

    def is_dense(self) -> bool:
        """Tell whether the buffer holds these lines and nothing else."""
        return int(np.sum(self.ends - self.starts + 1)) == len(self.text)


def _read_lines(lines: _Lines) -> tuple[pa.Table, NDArray[np.int64], list[OddLine]]:
    count = len(lines.numbers)
    table, whole = _read_strictly(lines)
    if table is None:
        if count > _FEW:
            parts = [_read_lines(lines.part(places)) for places in np.array_split(np.arange(count), 2)]
            return (
                pa.concat_tables([part[0] for part in parts]),
                np.concatenate([part[1] for part in parts]),
                [odd for part in parts for odd in part[2]],
            )
        whole = np.zeros(count, dtype=bool)
    kept = [] if table is None else [_to_columns(table if whole.all() else table.filter(pa.array(whole)))]
    rows = [lines.numbers[whole]]
    odd: list[OddLine] = []
    for place in np.flatnonzero(~whole).tolist():
        number = int(lines.numbers[place])
        try:
            retold = to_json_line(parse_run(lines.line(place))).encode() + b"\n"
        except DataError as error:
            odd.append(OddLine(number, str(error)))
            continue
        again, _ = _read_strictly(_Lines.split(retold))
        if again is None:
            raise DataError("a run that the contract allows does not fit into columns", got=retold[:80])
        kept.append(_to_columns(again))
        rows.append(np.array([number]))
    return pa.concat_tables(kept) if kept else run_schema().empty_table(), np.concatenate(rows), odd


def _read_strictly(lines: _Lines) -> tuple[pa.Table | None, Mask]:
    """Read with Arrow; the mask tells which rows are surely runs. No table where a line is not what it should be."""
    count = len(lines.numbers)
    nothing = np.zeros(count, dtype=bool)
    # What starts and ends like an object, and is not two of them, is one line's object: `}{` is nowhere inside one.
    looks_whole = (lines.bytes_at(lines.starts) == ord("{")) & (lines.bytes_at(lines.ends - 1) == ord("}"))
    if not count or not looks_whole.all() or (lines.ends - lines.starts).max() > LONGEST_LINE_BYTES:
        return None, nothing
    text = lines.text if lines.is_dense() else b"".join(lines.line(place) + b"\n" for place in range(count))
    offsets = np.concatenate([[0], np.cumsum(lines.ends - lines.starts + 1)])
    cut = cut_samples(text, offsets)
    if cut is not None:
        text, offsets = cut.rest, cut.offsets
    try:
        if cut is None:  # simdjson takes UTF-8 alone
            text.decode()
        # Blocks are read beside each other as it is: more threads for each would wait for each other.
        options = pj.ReadOptions(block_size=len(text) + 1, use_threads=False)
        parse = pj.ParseOptions(
            explicit_schema=reading_schema(), unexpected_field_behavior="infer", newlines_in_values=False
        )
        buffer: Any = pa.BufferReader(text)
        table = pj.read_json(buffer, read_options=options, parse_options=parse).combine_chunks()
        table.validate(full=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
        return None, nothing
    if table.num_rows != count:
        return None, nothing
    for name, lists in cut.samples.items() if cut is not None else ():
        table = table.set_column(table.column_names.index(name), name, lists)
    fine = check_runs(table)
    # Arrow does not tell an absent key from a null one: as many nulls as were read must be in the text.
    begins: Any = offsets.astype(np.int32)
    texts = pa.StringArray.from_buffers(count, pa.py_buffer(begins), pa.py_buffer(text))
    written = pc.count_substring_regex(texts, pattern=_NULL).to_numpy(zero_copy_only=False)
    fine &= written == _count_nulls(table)
    unknown = set(_unknown_names(table.schema, ()))
    if unknown:  # a null after one of these could stand in for a known key that is absent
        after_unknown = f'"({"|".join(map(re.escape, unknown))})"\\s*:\\s*null'
        fine &= ~pc.match_substring_regex(texts, after_unknown).to_numpy(zero_copy_only=False)
    return table, fine


def _unknown_names(fields: Iterable["pa.Field[Any]"], path: tuple[str, ...]) -> Iterator[str]:
    """Names of keys that the contract does not have, in its own objects."""
    known = known_names(path) if path else frozenset(DOCUMENT["properties"])
    for field in fields:
        here = (*path, field.name)
        kind = field.type.value_type if pa.types.is_list(field.type) else field.type
        if field.name not in known:
            yield field.name
        elif here not in OPEN and pa.types.is_struct(kind):
            yield from _unknown_names(kind, here)


def _count_nulls(table: pa.Table) -> NDArray[np.int64]:
    """Count the nulls of every row that the contract's keys have, lists of objects included."""
    counts = np.zeros(table.num_rows, dtype=np.int64)
    for name in DOCUMENT["properties"]:
        column = table[name].combine_chunks()
        if name in DOCUMENT["required"]:
            counts += _nulls_of(column, (name,))
        elif name == "per_op":
            items = column.flatten()
            parents = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
            counts += np.bincount(parents, _nulls_of(items, (name,)), len(column)).astype(np.int64)
    return counts


def _nulls_of(array: Column, path: tuple[str, ...]) -> NDArray[np.int64]:
    own = array.is_null().to_numpy(zero_copy_only=False)
    counts = own.astype(np.int64)
    if pa.types.is_struct(array.type) and path not in OPEN:
        known = known_names(path)
        for name in array.type.names:
            if name in known:
                counts += np.where(own, 0, _nulls_of(pc.struct_field(array, name), (*path, name)))
    return np.asarray(counts)


def _to_columns(table: pa.Table) -> pa.Table:
    """Keep the contract's keys, and turn the open objects into text."""
    return pa.table(
        [_cast(table[field.name].combine_chunks(), field.type) for field in run_schema()], schema=run_schema()
    )


def _cast(array: Column, wanted: pa.DataType) -> Column:
    if pa.types.is_struct(wanted):
        children = [
            _cast(pc.struct_field(array, field.name), field.type)
            if field.name in array.type.names
            else pa.nulls(len(array), field.type)
            for field in wanted
        ]
        return pa.StructArray.from_arrays(children, fields=list(wanted), mask=array.is_null())
    if pa.types.is_struct(array.type):
        return _to_text(array)
    return array.cast(wanted)


def _to_text(objects: Column) -> Column:
    """Write objects as JSON, each distinct one once; a key that only others have is null in Arrow, and left out."""
    values = [pc.struct_field(objects, [index]) for index in range(objects.type.num_fields)]
    if any(pa.types.is_nested(value.type) for value in values):
        return pa.array([None if item is None else _dump(item) for item in objects.to_pylist()], pa.string())
    parts = [pc.fill_null(value.cast(pa.string()), "\0") for value in [objects.is_null(), *values]]
    keys = pc.binary_join_element_wise(*parts, "\1").dictionary_encode()
    places = keys.indices.to_numpy(zero_copy_only=False)
    _, first = np.unique(places, return_index=True)
    distinct = objects.take(pa.array(first)).to_pylist()
    texts = pa.array([None if item is None else _dump(item) for item in distinct], pa.string())
    return texts.take(keys.indices)


def _dump(item: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in item.items() if value is not None})
