"""A latency log: JSON Lines, append-only, one synced line a run.

A line is held against `latency_run.schema.json`; this file adds only what a schema cannot say: no key twice, and which
samples belong together. Unknown keys are allowed, and are not kept in the value.
"""

import dataclasses
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import numpy as np

from mobisdk.errors import DataError
from mobisdk.latency.record import (
    App,
    BundleRef,
    Conditions,
    Device,
    Energy,
    GoldenCheck,
    LatencyRun,
    Memory,
    OpTime,
    Placement,
    RuntimeInfo,
    SourceImage,
    ThermalSample,
    durations,
)

SCHEMA: Final = "mobisdk.latency/1"
LONGEST_LINE_BYTES: Final = 16 * 2**20
_LONGEST_PATH = 200


def append_run(path: Path, run: LatencyRun) -> None:
    """Add `run` to the log at `path`, which is made if it is not there; on disk when this returns.

    If a kill left the log in the middle of a line, that line is ended first: it stays set aside, and `run` is whole.

    Raises:
        DataError: the run breaks the contract.
        OSError: the disk is full, or the file cannot be written. Either way the log is as it was.
    """
    line = to_json_line(run).encode() + b"\n"
    with path.open("a+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            if file.read(1) != b"\n":
                line = b"\n" + line
        try:
            written = 0
            while written < len(line):  # a raw file may take a part
                written += file.write(line[written:])
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
            raise


def to_json_line(run: LatencyRun) -> str:
    """Write `run` as one line of ASCII JSON with sorted keys, without the line's end.

    Raises:
        DataError: the run breaks the contract; the text names the field.
    """
    document = {"schema": SCHEMA} | dataclasses.asdict(run)
    for name, value in document.items():
        if isinstance(value, np.ndarray):
            document[name] = value.tolist()
    _check(document)
    try:
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise DataError(f"a run holds what JSON cannot: {error}") from error


def parse_run(line: str | bytes) -> LatencyRun:
    """Read one line.

    Raises:
        DataError: the line is not JSON, or breaks the contract; the text names the field.
    """
    if len(line) > LONGEST_LINE_BYTES:
        raise DataError("the line is too long", got=len(line), allowed=f"at most {LONGEST_LINE_BYTES} bytes")
    not_finite: list[float] = []

    def number(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            not_finite.append(value)
        return value

    try:
        text = line.decode() if isinstance(line, bytes) else line
        document = json.loads(text, object_pairs_hook=_unique_keys, parse_float=number, parse_constant=number)
        if not_finite or "\\u" in text:
            for path, value in _odd_values(document):
                raise DataError(f"{_dotted(path)} is wrong", got=value, allowed="finite numbers, whole characters")
    except UnicodeDecodeError as error:
        raise DataError(f"the line is not UTF-8: {error}") from error
    except RecursionError as error:
        raise DataError("the line is nested too deeply") from error
    except ValueError as error:
        raise DataError(f"the line is not JSON: {error}") from error
    _check(document)
    return to_run(document)


def to_run(document: Mapping[str, Any]) -> LatencyRun:
    """Make the value of a document that keeps the contract."""
    return LatencyRun(**{name: read(document[name]) for name, read in _READ.items() if name in document})


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object, refusing a key that is there twice: readers differ in which of the two they take."""
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        raise DataError("a key is there twice", got=next(name for name in names if names.count(name) > 1))
    return document


def _odd_values(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """What Python's JSON lets through and others do not: infinity (1e400 too), NaN, half a surrogate pair."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _odd_values(key, path)
            yield from _odd_values(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _odd_values(item, (*path, index))
    elif (isinstance(value, float) and not math.isfinite(value)) or (
        isinstance(value, str) and re.search("[\ud800-\udfff]", value)
    ):
        yield path, value


_VALIDATOR = jsonschema_rs.Draft202012Validator(
    json.loads(Path(__file__).with_name("latency_run.schema.json").read_bytes()), validate_formats=True, mask="it"
)


def _check(document: Any) -> None:
    """Hold `document` against the schema, and its samples against each other."""
    if not isinstance(document, dict):
        raise DataError(f"the line is not a JSON object but {type(document).__name__}")
    if document.get("schema") != SCHEMA:
        raise DataError("the line is of another schema", got=document.get("schema"), allowed=SCHEMA)
    try:
        _VALIDATOR.validate(document)
    except jsonschema_rs.ValidationError as error:
        path = [*error.instance_path, *([error.kind.value] if error.kind.name == "required" else [])]
        raise DataError(f"{_dotted(path)} is wrong: {error.message}", got=error.instance) from error
    except ValueError as error:  # past 255 levels the validator gives up
        raise DataError("the line is nested too deeply") from error
    samples = len(document["inference_ns"])
    if len(document["sample_at_ns"]) != samples:
        raise DataError(
            "sample_at_ns is wrong: it has one time a sample of inference_ns",
            got=len(document["sample_at_ns"]), allowed=str(samples),
        )  # fmt: skip
    for name in ("preprocess_ns", "postprocess_ns"):
        if len(document[name]) not in (0, samples):
            raise DataError(
                f"{name} is wrong: it is empty or has one time a sample of inference_ns",
                got=len(document[name]), allowed=f"0 or {samples}",
            )  # fmt: skip
    at = document["sample_at_ns"]
    if at != sorted(at):
        raise DataError("sample_at_ns is wrong: a monotonic clock never falls")


def _dotted(path: Sequence[str | int]) -> str:
    """`device.model`, `inference_ns[3]`; a key that is no plain word is quoted, and a long path cut."""
    text = "".join(f".{part}" if isinstance(part, str) and part.isidentifier() else f"[{part!r}]" for part in path)
    return text.removeprefix(".")[:_LONGEST_PATH] or "the line"


def _as_is(value: Any) -> Any:
    return value


def _reader(record: type[Any]) -> Callable[[Mapping[str, Any] | None], Any]:
    """Build `record` from its own keys; null stays null."""
    names = [field.name for field in dataclasses.fields(record)]
    return lambda values: None if values is None else record(**{name: values[name] for name in names})


def _list_reader(record: type[Any]) -> Callable[[list[Mapping[str, Any]]], Any]:
    read = _reader(record)
    return lambda items: tuple(read(item) for item in items)


_READ: dict[str, Callable[[Any], Any]] = {field.name: _as_is for field in dataclasses.fields(LatencyRun)} | {
    "app": _reader(App),
    "device": _reader(Device),
    "bundle": _reader(BundleRef),
    "runtime": _reader(RuntimeInfo),
    "placement": _reader(Placement),
    "conditions": _reader(Conditions),
    "source_image": _reader(SourceImage),
    "memory": _reader(Memory),
    "energy": _reader(Energy),
    "golden": _reader(GoldenCheck),
    "thermal": _list_reader(ThermalSample),
    "per_op": _list_reader(OpTime),
    **dict.fromkeys(("warmup_ns", "preprocess_ns", "inference_ns", "postprocess_ns", "sample_at_ns"), durations),
}
