"""A log's lines as Arrow columns, many at a time: no line becomes a Python object, unless something is odd about it.

The types, and what a value may be, are read off the contract's JSON Schema, so that the two cannot come apart. Arrow
reads a block of lines strictly by those types; every check is then made on whole columns. A line that Arrow refuses, or
that a check finds odd, goes to `log.parse_run`, which alone decides, and gives the reason.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.json as pj
from numpy.typing import NDArray

from mobisdk.errors import DataError
from mobisdk.latency.log import LONGEST_LINE_BYTES, parse_run, to_json_line

Node = Mapping[str, Any]
pc: Any = pyarrow.compute
Mask = NDArray[np.bool_]
Column = Any
"""An Arrow array: its stubs know less than its checks need."""

_DOCUMENT: Final[Node] = json.loads(Path(__file__).with_name("latency_run.schema.json").read_bytes())
_OPEN: Final = (("bundle", "spec"), ("placement", "share"))
"""Objects of any keys: they are columns of JSON text."""
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
    try:
        text.decode()
        options = pj.ReadOptions(block_size=len(text) + 1)
        parse = pj.ParseOptions(
            explicit_schema=_reading_schema(), unexpected_field_behavior="infer", newlines_in_values=False
        )
        buffer: Any = pa.BufferReader(text)
        table = pj.read_json(buffer, read_options=options, parse_options=parse).combine_chunks()
        table.validate(full=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
        return None, nothing
    if table.num_rows != count:
        return None, nothing
    fine = check_runs(table)
    # Arrow does not tell an absent key from a null one: as many nulls as were read must be in the text.
    offsets: Any = np.concatenate([[0], np.cumsum(lines.ends - lines.starts + 1)]).astype(np.int32)
    texts = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))
    written = pc.count_substring_regex(texts, pattern=_NULL).to_numpy(zero_copy_only=False)
    fine &= written == _count_nulls(table)
    unknown = set(_unknown_names(table.schema, ()))
    if unknown:  # a null after one of these could stand in for a known key that is absent
        after_unknown = f'"({"|".join(map(re.escape, unknown))})"\\s*:\\s*null'
        fine &= ~pc.match_substring_regex(texts, after_unknown).to_numpy(zero_copy_only=False)
    return table, fine


def _unknown_names(fields: Iterable["pa.Field[Any]"], path: tuple[str, ...]) -> Iterator[str]:
    """Names of keys that the contract does not have, in its own objects."""
    known = _arrow_names(path) if path else frozenset(_DOCUMENT["properties"])
    for field in fields:
        here = (*path, field.name)
        kind = field.type.value_type if pa.types.is_list(field.type) else field.type
        if field.name not in known:
            yield field.name
        elif here not in _OPEN and pa.types.is_struct(kind):
            yield from _unknown_names(kind, here)


@cache
def run_schema() -> pa.Schema:
    """The columns: the contract's keys in its order, open objects as JSON text."""
    return pa.schema([pa.field(name, _arrow_type(node, (name,))) for name, node in _DOCUMENT["properties"].items()])


@cache
def _reading_schema() -> pa.Schema:
    return pa.schema(
        [
            pa.field(name, _arrow_type(node, (name,), without_open=True))
            for name, node in _DOCUMENT["properties"].items()
        ]
    )


def _resolve(node: Node) -> Node:
    while "$ref" in node:
        node = {**_DOCUMENT["$defs"][node["$ref"].rpartition("/")[2]], **{k: v for k, v in node.items() if k != "$ref"}}
    return node


def _types(node: Node) -> set[str]:
    if "type" in node:
        return {node["type"]} if isinstance(node["type"], str) else set(node["type"])
    values = node["enum"] if "enum" in node else [node["const"]]
    return {"null" if value is None else "string" for value in values}


def _arrow_type(node: Node, path: tuple[str, ...], *, without_open: bool = False) -> pa.DataType:
    node = _resolve(node)
    (kind,) = _types(node) - {"null"}
    if kind == "object":
        if path in _OPEN:
            return pa.string()
        fields = {
            name: _arrow_type(child, (*path, name), without_open=without_open)
            for name, child in node["properties"].items()
            if not (without_open and (*path, name) in _OPEN)
        }
        return pa.struct(list(fields.items()))
    if kind == "array":
        return pa.list_(_arrow_type(node["items"], path, without_open=without_open))
    kinds: dict[str, pa.DataType] = {
        "string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()
    }  # fmt: skip
    return kinds[kind]


def check_runs(table: pa.Table) -> Mask:
    """Tell which rows keep every rule of the contract; one that may break one is not among them.

    Open objects may be objects, as Arrow reads them from lines, or JSON, as in `run_schema`.
    """
    fine = np.ones(table.num_rows, dtype=bool)
    required = set(_DOCUMENT["required"])
    for name, node in _DOCUMENT["properties"].items():
        column = table[name].combine_chunks()
        if name in required or column.null_count < len(column):
            fine &= _check(column, node, (name,), optional=name not in required)
    for name in table.column_names:
        if name not in _DOCUMENT["properties"]:
            fine &= _all_finite(table[name].combine_chunks())
    return fine & _check_modes(table) & _check_samples(table) & _check_day(table["started_at"].combine_chunks())


def _check(array: Column, node: Node, path: tuple[str, ...], *, optional: bool = False) -> Mask:
    node = _resolve(node)
    fine = np.ones(len(array), dtype=bool)
    if not array.null_count and pa.types.is_integer(array.type) and _is_within(array, node):
        return fine
    nulls = array.is_null().to_numpy(zero_copy_only=False)
    if path in _OPEN:
        fine &= _check_open(array, node)
    elif "enum" in node or "const" in node:
        allowed = node["enum"] if "enum" in node else [node["const"]]
        fine &= pc.is_in(array, pa.array([value for value in allowed if value is not None])).to_numpy(
            zero_copy_only=False
        )
    elif pa.types.is_string(array.type):
        length = pc.fill_null(pc.utf8_length(array), 0).to_numpy()
        fine &= (length >= node.get("minLength", 0)) & (length <= node.get("maxLength", 2**31))
        if "pattern" in node:
            fine &= pc.fill_null(pc.match_substring_regex(array, node["pattern"]), False).to_numpy(zero_copy_only=False)
    elif pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        values = pc.fill_null(array, 1).to_numpy(zero_copy_only=False)
        fine &= np.isfinite(values) & (values >= node.get("minimum", -np.inf)) & (values <= node.get("maximum", np.inf))
        fine &= values > node.get("exclusiveMinimum", -np.inf)
    elif pa.types.is_struct(array.type):
        for name in array.type.names:
            child = pc.struct_field(array, name)
            known = node["properties"].get(name)
            if known is None and (*path, name) not in _OPEN:
                fine &= _all_finite(child)
            else:
                fine &= _check(child, known or {}, (*path, name)) | nulls
    elif pa.types.is_list(array.type):
        fine &= _every(array, _check(array.flatten(), node["items"], path))
    may_be_null = optional or "null" in _types(node)
    return np.asarray((fine | nulls) if may_be_null else (fine & ~nulls))


def _is_within(array: Column, node: Node) -> bool:
    """Tell in one pass whether whole numbers, without a null, are all within their bounds, as samples mostly are."""
    extent = pc.min_max(array).as_py()
    low, high = extent["min"], extent["max"]
    return low is None or bool(
        node.get("minimum", -np.inf) <= low > node.get("exclusiveMinimum", -np.inf)
        and high <= node.get("maximum", np.inf)
    )


def _check_open(objects: Column, node: Node) -> Mask:
    """Check an object of any keys; one row's key is a column here, null in the others."""
    if pa.types.is_string(objects.type):
        return _check_open_text(objects, node)
    fine = _all_finite(objects)
    values = node["additionalProperties"]
    longest = _resolve(node.get("propertyNames", {})).get("maxLength", 2**31)
    for index, field in enumerate(objects.type):
        child = pc.struct_field(objects, [index])
        if values["type"] == "number" and pa.types.is_primitive(field.type) and not pa.types.is_boolean(field.type):
            known = _check(child, values, ())
        else:
            is_scalar = not pa.types.is_struct(field.type) and not pa.types.is_list(field.type)
            known = np.full(len(objects), values["type"] != "number" and is_scalar)
        known &= 0 < len(field.name) <= longest and objects.type.num_fields <= node.get("maxProperties", 2**31)
        fine &= known | child.is_null().to_numpy(zero_copy_only=False)
    return fine


def _check_open_text(texts: Column, node: Node) -> Mask:
    """Check objects of any keys that are written as JSON, each distinct one once."""
    validator = jsonschema_rs.Draft202012Validator({**node, "$defs": _DOCUMENT["$defs"]})
    distinct = texts.dictionary_encode()
    known = np.zeros(len(distinct.dictionary) + 1, dtype=bool)
    for place, text in enumerate(distinct.dictionary.to_pylist()):
        try:
            known[place] = validator.is_valid(json.loads(text, parse_constant=_refuse))
        except (ValueError, RecursionError):
            continue
    return np.asarray(known[pc.fill_null(distinct.indices, len(known) - 1).to_numpy(zero_copy_only=False)])


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _every(lists: Column, items: Mask) -> Mask:
    """Tell which lists have only `items` that are fine."""
    fine = np.ones(len(lists), dtype=bool)
    if not items.all():
        fine[pc.list_parent_indices(lists).to_numpy()[~items]] = False
    return fine


def _all_finite(array: Column) -> Mask:
    """Tell which values of an unknown kind hold no infinity and no NaN, which Arrow reads and JSON does not have."""
    if pa.types.is_floating(array.type):
        return np.asarray(pc.fill_null(pc.is_finite(array), True).to_numpy(zero_copy_only=False))
    if pa.types.is_struct(array.type):
        fine = np.ones(len(array), dtype=bool)
        for index in range(array.type.num_fields):
            fine &= _all_finite(pc.struct_field(array, [index]))
        return fine
    if pa.types.is_list(array.type):
        return _every(array, _all_finite(array.flatten()))
    return np.ones(len(array), dtype=bool)


def _check_modes(table: pa.Table) -> Mask:
    cold, production = (
        pc.fill_null(pc.equal(table["mode"], mode), False).to_numpy() for mode in ("cold", "production")
    )
    null = {name: table[name].is_null().to_numpy() for name in ("load_ns", "first_inference_ns", "golden", "notes")}
    samples = _lengths(table, "inference_ns")
    hour = pc.match_substring_regex(table["started_at"], r"T[0-9]{2}:00:00([.]0+)?(Z|[+-])").to_numpy()
    return np.asarray(
        np.where(cold, ~null["load_ns"] & ~null["first_inference_ns"], samples > 0)
        & (cold | production | ~null["golden"])
        & (~production | (null["notes"] & np.equal(hour, True)))
    )


def _check_samples(table: pa.Table) -> Mask:
    samples = _lengths(table, "inference_ns")
    fine = _lengths(table, "sample_at_ns") == samples
    for name in ("preprocess_ns", "postprocess_ns"):
        length = _lengths(table, name)
        fine &= (length == 0) | (length == samples)
    times: Column = table["sample_at_ns"].combine_chunks()
    values = times.flatten().to_numpy(zero_copy_only=False)
    falls = np.flatnonzero(np.diff(values) < 0) + 1
    starts = np.zeros(len(values) + 1, dtype=bool)
    starts[np.cumsum(_lengths(table, "sample_at_ns"))] = True
    starts[0] = True
    parents = pc.list_parent_indices(times).to_numpy()
    fine[parents[falls[~starts[falls]]]] = False
    return np.asarray(fine)


def _lengths(table: pa.Table, name: str) -> NDArray[np.int64]:
    return np.asarray(pc.fill_null(pc.list_value_length(table[name]), -1).to_numpy(), dtype=np.int64)


def _check_day(started_at: Column) -> Mask:
    """Tell which days there are, and which times of day; a leap second is odd enough to be looked at."""
    days = pc.utf8_slice_codeunits(started_at, 0, 10).dictionary_encode()
    known = np.array([_is_day(day) for day in days.dictionary.to_pylist()] or [False])
    times = r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
    fine = pc.fill_null(pc.match_substring_regex(started_at, times), False).to_numpy(zero_copy_only=False)
    return np.asarray(known[days.indices.fill_null(0).to_numpy(zero_copy_only=False)] & fine)


def _is_day(day: str | None) -> bool:
    try:
        date.fromisoformat(day or "")
    except ValueError:
        return False
    return True


def _count_nulls(table: pa.Table) -> NDArray[np.int64]:
    """Count the nulls of every row that the contract's keys have, lists of objects included."""
    counts = np.zeros(table.num_rows, dtype=np.int64)
    for name in _DOCUMENT["properties"]:
        column = table[name].combine_chunks()
        if name in _DOCUMENT["required"]:
            counts += _nulls_of(column, (name,))
        elif name == "per_op":
            items = column.flatten()
            parents = pc.list_parent_indices(column).to_numpy()
            counts += np.bincount(parents, _nulls_of(items, (name,)), len(column)).astype(np.int64)
    return counts


def _nulls_of(array: Column, path: tuple[str, ...]) -> NDArray[np.int64]:
    own = array.is_null().to_numpy(zero_copy_only=False)
    counts = own.astype(np.int64)
    if pa.types.is_struct(array.type) and path not in _OPEN:
        known = _arrow_names(path)
        for name in array.type.names:
            if name in known:
                counts += np.where(own, 0, _nulls_of(pc.struct_field(array, name), (*path, name)))
    return np.asarray(counts)


@cache
def _arrow_names(path: tuple[str, ...]) -> frozenset[str]:
    node = _resolve(_DOCUMENT["properties"][path[0]])
    for name in path[1:]:
        node = _resolve(node["properties"][name])
    return frozenset(_resolve(node.get("items", node)).get("properties", ()))


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
