"""Reads `.mdc`, whoever wrote it: every size is checked against the file's before anything is allocated for it."""

import dataclasses
import hmac
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobisdk.compression import huffman
from mobisdk.compression.mdc_encoding import DTYPES, HASH_AT, HEADER_AT, LENGTH, MAGIC, SCHEMA, Tensors, compute_hash
from mobisdk.compression.shared_weights import MOST_CENTROIDS, SharedWeights, to_positions
from mobisdk.errors import DataError

_MOST_INDEX_BITS = 8
_MOST_DIMENSIONS = 8
_CODEBOOK_BITS = 32


@dataclasses.dataclass(frozen=True)
class SharedSize:
    """What one tensor of shared weights takes in the file, and what the paper's accounting gives for it."""

    name: str
    elements: int
    entries: int
    """Weights that are not zero, and fillers."""
    code_bits: int
    index_bits: int
    paper_bytes: int
    """Before Huffman coding: each entry's code and gap in full bits, and a codebook of 32 bits a value."""
    size_bytes: int
    """In the file, tables included."""


@dataclasses.dataclass(frozen=True)
class MdcFile:
    """A decoded file."""

    checkpoint: dict[str, Any]
    """The header of the checkpoint that was packed."""
    tensors: Tensors
    """In the file's order."""
    sizes: tuple[SharedSize, ...]


def decode_mdc(content: bytes) -> MdcFile:
    """Check the hash, then the header, then decode.

    Raises:
        DataError: the file is truncated or changed, of another schema, or its sizes do not fit together. A tensor of
            shared weights has at most 1,024 elements a byte of its entries, so memory goes with the file's size.
    """
    view = memoryview(content)
    if len(view) < HEADER_AT or view[: len(MAGIC)] != MAGIC:
        raise DataError("this is no .mdc file", got=bytes(view[: len(MAGIC)]), allowed=f"it begins with {MAGIC!r}")
    (length,) = LENGTH.unpack_from(view, len(MAGIC))
    expected = compute_hash(bytes(view[:HASH_AT]), bytes(view[HEADER_AT:]))
    if not hmac.compare_digest(bytes(view[HASH_AT:HEADER_AT]), expected):
        raise DataError(
            "the .mdc file is damaged: its hash is another", hint="Copy it again, or pack the checkpoint anew"
        )
    if HEADER_AT + length > len(view):
        raise DataError(
            "the .mdc file's header is longer than the file", got=length, allowed=str(len(view) - HEADER_AT)
        )
    try:
        header = json.loads(bytes(view[HEADER_AT : HEADER_AT + length]))
        if header["schema"] != SCHEMA:
            raise DataError("the .mdc file is of another schema", got=header["schema"], allowed=SCHEMA)
        if not isinstance(header["checkpoint"], dict):
            raise DataError("the .mdc file's checkpoint must be a JSON object")
        tensors: dict[str, SharedWeights | NDArray[Any]] = {}
        sizes = []
        rest = view[HEADER_AT + length :]
        payloads = _cut(rest, [_count_bytes(entry) for entry in header["tensors"]])
        for entry, payload in zip(header["tensors"], payloads, strict=True):
            name = entry["name"]
            if not isinstance(name, str) or name in tensors:
                raise DataError("a tensor of the .mdc file has no name of its own", got=name)
            if entry["encoding"] == "raw":
                tensors[name] = np.frombuffer(payload, DTYPES[entry["dtype"]]).reshape(entry["shape"])
            else:
                tensors[name] = _decode_shared(entry, payload)
                sizes.append(_weigh(entry, payload))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(f"the .mdc file's header is wrong ({type(error).__name__}: {error})") from error
    return MdcFile(header["checkpoint"], tensors, tuple(sizes))


def _cut(rest: memoryview, sizes: list[int]) -> Iterator[memoryview]:
    if sum(sizes) != len(rest):
        raise DataError(
            "the .mdc file's tensors are not as long as its header says", got=len(rest), allowed=str(sum(sizes))
        )
    start = 0
    for size in sizes:
        yield rest[start : start + size]
        start += size


def _count_bytes(entry: dict[str, Any]) -> int:
    """What a tensor's payload must have, from checked numbers."""
    shape = entry["shape"]
    if not isinstance(shape, list) or len(shape) > _MOST_DIMENSIONS:
        raise DataError("a tensor's shape is wrong", got=shape, allowed=f"at most {_MOST_DIMENSIONS} dimensions")
    elements = math.prod(_whole(size, "a dimension", 0, 2**40) for size in shape)
    if entry["encoding"] == "raw":
        return elements * np.dtype(DTYPES[entry["dtype"]]).itemsize
    if entry["encoding"] != "shared":
        raise DataError("a tensor's encoding is unknown", got=entry["encoding"], allowed="raw, shared")
    centroids = _whole(entry["centroids"], "centroids", 0, MOST_CENTROIDS)
    bits = _whole(entry["index_bits"], "index_bits", 0, _MOST_INDEX_BITS)
    code_bytes = _whole(entry["code_bytes"], "code_bytes", 1, 2**40)
    gap_bytes = _whole(entry["gap_bytes"], "gap_bytes", 1 if bits else 0, 2**40 if bits else 0)
    fewest = code_bytes if bits == 0 else min(code_bytes, gap_bytes)
    entries = _whole(entry["entries"], "entries", 1 if elements else 0, 8 * fewest)
    _whole(elements, "elements of a tensor", max(1, entries), ((entries + 1) << bits) - 1 if bits else entries)
    return 4 * centroids + centroids + 1 + (1 << bits if bits else 0) + code_bytes + gap_bytes


def _decode_shared(entry: dict[str, Any], payload: memoryview) -> SharedWeights:
    """Sizes are checked."""
    centroids, bits, entries = entry["centroids"], entry["index_bits"], entry["entries"]
    lengths_at = 4 * centroids
    gap_lengths_at = lengths_at + centroids + 1
    streams_at = gap_lengths_at + (1 << bits if bits else 0)
    code_lengths = np.frombuffer(payload[lengths_at:gap_lengths_at], np.uint8)
    codes = huffman.decode(bytes(payload[streams_at : streams_at + entry["code_bytes"]]), entries, code_lengths)
    codebook = np.frombuffer(payload[:lengths_at], "<f4")
    if not np.isfinite(codebook).all():
        raise DataError("a centroid is NaN or infinite", got=entry["name"])
    if bits == 0:
        return SharedWeights(codebook, codes.reshape(entry["shape"]))
    gap_lengths = np.frombuffer(payload[gap_lengths_at:streams_at], np.uint8)
    gaps = huffman.decode(bytes(payload[streams_at + entry["code_bytes"] :]), entries, gap_lengths)
    elements = math.prod(entry["shape"])
    positions = to_positions(gaps)
    if not positions[-1] < elements <= positions[-1] + (1 << bits):
        raise DataError("entries do not fill their tensor", got=int(positions[-1]) + 1, allowed=str(elements))
    flat = np.zeros(elements, np.uint8)
    flat[positions] = codes
    return SharedWeights(codebook, flat.reshape(entry["shape"]))


def _weigh(entry: dict[str, Any], payload: memoryview) -> SharedSize:
    code_bits = entry["centroids"].bit_length()  # one code more, for zero
    bits = entry["entries"] * (code_bits + entry["index_bits"]) + entry["centroids"] * _CODEBOOK_BITS
    return SharedSize(
        entry["name"],
        math.prod(entry["shape"]),
        entry["entries"],
        code_bits,
        entry["index_bits"],
        math.ceil(bits / 8),
        len(payload),
    )


def _whole(value: Any, what: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise DataError(
            f"{what} of the .mdc file is wrong", got=value, allowed=f"a whole number from {least} to {most}"
        )
    return value
