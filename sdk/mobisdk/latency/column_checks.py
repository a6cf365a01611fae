"""Every rule of the contract, on columns: which rows are surely runs."""

import json
from datetime import date
from typing import Any

import jsonschema_rs
import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from mobisdk.latency.run_columns import DOCUMENT, OPEN, Node, list_types, resolve

pc: Any = pyarrow.compute
Mask = NDArray[np.bool_]
Column = Any
"""An Arrow array: its stubs know less than its checks need."""


def check_runs(table: pa.Table) -> Mask:
    """Tell which rows keep every rule of the contract; one that may break one is not among them.

    Open objects may be objects, as Arrow reads them from lines, or JSON, as in `run_schema`.
    """
    fine = np.ones(table.num_rows, dtype=bool)
    required = set(DOCUMENT["required"])
    for name, node in DOCUMENT["properties"].items():
        column = table[name].combine_chunks()
        if name in required or column.null_count < len(column):
            fine &= _check(column, node, (name,), optional=name not in required)
    for name in table.column_names:
        if name not in DOCUMENT["properties"]:
            fine &= _all_finite(table[name].combine_chunks())
    return fine & _check_modes(table) & _check_samples(table) & _check_day(table["started_at"].combine_chunks())


def _check(array: Column, node: Node, path: tuple[str, ...], *, optional: bool = False) -> Mask:
    node = resolve(node)
    fine = np.ones(len(array), dtype=bool)
    if not array.null_count and pa.types.is_integer(array.type) and _is_within(array, node):
        return fine
    nulls = array.is_null().to_numpy(zero_copy_only=False)
    if path in OPEN:
        fine &= _check_open(array, node)
    elif "enum" in node or "const" in node:
        allowed = node["enum"] if "enum" in node else [node["const"]]
        known = pc.is_in(array, pa.array([value for value in allowed if value is not None]))
        fine &= known.to_numpy(zero_copy_only=False)
    elif pa.types.is_string(array.type):
        length = pc.fill_null(pc.utf8_length(array), 0).to_numpy(zero_copy_only=False)
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
            if known is None and (*path, name) not in OPEN:
                fine &= _all_finite(child)
            else:
                fine &= _check(child, known or {}, (*path, name)) | nulls
    elif pa.types.is_list(array.type):
        fine &= _every(array, _check(array.flatten(), node["items"], path))
    may_be_null = optional or "null" in list_types(node)
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
    if pa.types.is_null(objects.type):
        return np.ones(len(objects), dtype=bool)
    fine = _all_finite(objects)
    values = node["additionalProperties"]
    longest = resolve(node.get("propertyNames", {})).get("maxLength", 2**31)
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
    validator = jsonschema_rs.Draft202012Validator({**node, "$defs": DOCUMENT["$defs"]})
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
        fine[pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)[~items]] = False
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
        pc.fill_null(pc.equal(table["mode"], mode), False).to_numpy(zero_copy_only=False)
        for mode in ("cold", "production")
    )
    null = {
        name: table[name].is_null().to_numpy(zero_copy_only=False)
        for name in ("load_ns", "first_inference_ns", "golden", "notes")
    }
    samples = _lengths(table, "inference_ns")
    hour = pc.match_substring_regex(table["started_at"], r"T[0-9]{2}:00:00([.]0+)?(Z|[+-])")
    return np.asarray(
        np.where(cold, ~null["load_ns"] & ~null["first_inference_ns"], samples > 0)
        & (cold | production | ~null["golden"])
        & (~production | (null["notes"] & pc.fill_null(hour, False).to_numpy(zero_copy_only=False)))
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
    parents = pc.list_parent_indices(times).to_numpy(zero_copy_only=False)
    fine[parents[falls[~starts[falls]]]] = False
    return np.asarray(fine)


def _lengths(table: pa.Table, name: str) -> NDArray[np.int64]:
    return np.asarray(
        pc.fill_null(pc.list_value_length(table[name]), -1).to_numpy(zero_copy_only=False), dtype=np.int64
    )


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
