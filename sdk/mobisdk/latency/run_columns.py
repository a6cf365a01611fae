"""The columns of runs as the contract's JSON Schema has them, so that the two cannot come apart."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

Node = Mapping[str, Any]
DOCUMENT: Final[Node] = json.loads(Path(__file__).with_name("latency_run.schema.json").read_bytes())
OPEN: Final = (("bundle", "spec"), ("placement", "share"))
"""Objects of any keys: they are columns of JSON text."""


@cache
def run_schema() -> pa.Schema:
    """The columns: the contract's keys in its order, open objects as JSON text."""
    return pa.schema([pa.field(name, _arrow_type(node, (name,))) for name, node in DOCUMENT["properties"].items()])


@cache
def reading_schema() -> pa.Schema:
    """The columns that Arrow reads lines by: without the open objects, whose keys it finds."""
    return pa.schema(
        [pa.field(name, _arrow_type(node, (name,), without_open=True)) for name, node in DOCUMENT["properties"].items()]
    )


def resolve(node: Node) -> Node:
    """Follow a node's references; what stands beside one is kept."""
    while "$ref" in node:
        node = {**DOCUMENT["$defs"][node["$ref"].rpartition("/")[2]], **{k: v for k, v in node.items() if k != "$ref"}}
    return node


def list_types(node: Node) -> set[str]:
    """List the JSON types that a node allows."""
    if "type" in node:
        return {node["type"]} if isinstance(node["type"], str) else set(node["type"])
    values = node["enum"] if "enum" in node else [node["const"]]
    return {"null" if value is None else "string" for value in values}


def _arrow_type(node: Node, path: tuple[str, ...], *, without_open: bool = False) -> pa.DataType:
    node = resolve(node)
    (kind,) = list_types(node) - {"null"}
    if kind == "object":
        if path in OPEN:
            return pa.string()
        fields = {
            name: _arrow_type(child, (*path, name), without_open=without_open)
            for name, child in node["properties"].items()
            if not (without_open and (*path, name) in OPEN)
        }
        return pa.struct(list(fields.items()))
    if kind == "array":
        return pa.list_(_arrow_type(node["items"], path, without_open=without_open))
    kinds: dict[str, pa.DataType] = {
        "string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()
    }  # fmt: skip
    return kinds[kind]


@cache
def known_names(path: tuple[str, ...]) -> frozenset[str]:
    """The keys of the object, or of the list's objects, at `path`."""
    node = resolve(DOCUMENT["properties"][path[0]])
    for name in path[1:]:
        node = resolve(node["properties"][name])
    return frozenset(resolve(node.get("items", node)).get("properties", ()))
