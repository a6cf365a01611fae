"""Writes the packed file of Deep Compression, `.mdc`; docs/mdc.md describes it byte by byte."""

import dataclasses
import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobisdk.compression import huffman
from mobisdk.compression.shared_weights import RelativeCodes, SharedWeights, to_relative

SCHEMA = "mobisdk.mdc/1"
MAGIC = b"MDC1"
LENGTH = struct.Struct("<I")
HASH_AT = len(MAGIC) + LENGTH.size
HEADER_AT = HASH_AT + hashlib.sha256().digest_size
DTYPES = {
    "float32": "<f4",
    "float64": "<f8",
    "float16": "<f2",
    "int64": "<i8",
    "int32": "<i4",
    "uint8": "u1",
    "bool": "?",
}
"""Of tensors that are stored as they are, little-endian."""
INDEX_BITS = (0, *range(2, 9))
"""That the encoder tries; the shortest of them is written."""

Tensors = Mapping[str, SharedWeights | NDArray[Any]]


def encode_mdc(checkpoint: Mapping[str, Any], tensors: Tensors) -> bytes:
    """One file of a checkpoint's header and all its tensors; the same input gives the same bytes."""
    entries, payloads = [], []
    for name, tensor in tensors.items():
        entry, payload = _encode_shared(tensor) if isinstance(tensor, SharedWeights) else _encode_raw(tensor)
        entries.append({"name": name, **entry})
        payloads.append(payload)
    header = {"schema": SCHEMA, "checkpoint": checkpoint, "tensors": entries}
    text = json.dumps(header, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    start, body = MAGIC + LENGTH.pack(len(text)), b"".join([text, *payloads])
    return start + compute_hash(start, body) + body


def compute_hash(start: bytes, body: bytes) -> bytes:
    """SHA-256 of all that is not the hash itself."""
    digest = hashlib.sha256(start)
    digest.update(body)
    return digest.digest()


def _encode_raw(tensor: NDArray[Any]) -> tuple[dict[str, Any], bytes]:
    name = tensor.dtype.name
    return {"encoding": "raw", "dtype": name, "shape": list(tensor.shape)}, tensor.astype(DTYPES[name]).tobytes()


@dataclasses.dataclass(frozen=True)
class _Coded:
    relative: RelativeCodes
    code_lengths: NDArray[np.uint8]
    gap_lengths: NDArray[np.uint8]
    code_bits: int
    gap_bits: int


def measure_shared(weights: SharedWeights) -> int:
    """Bytes of a tensor in the file, tables included; its codebook's values do not matter."""
    coded = _choose(weights)
    tables = 4 * len(weights.codebook) + len(coded.code_lengths) + len(coded.gap_lengths)
    return tables + sum(-(-bits // 8) for bits in (coded.code_bits, coded.gap_bits))


def _encode_shared(weights: SharedWeights) -> tuple[dict[str, Any], bytes]:
    coded = _choose(weights)
    codes = huffman.encode(coded.relative.codes, coded.code_lengths)
    gaps = huffman.encode(coded.relative.gaps, coded.gap_lengths) if coded.relative.index_bits else b""
    entry = {
        "encoding": "shared",
        "shape": list(weights.codes.shape),
        "centroids": len(weights.codebook),
        "index_bits": coded.relative.index_bits,
        "entries": len(coded.relative.codes),
        "code_bytes": len(codes),
        "gap_bytes": len(gaps),
    }
    tables = weights.codebook.astype("<f4").tobytes() + coded.code_lengths.tobytes() + coded.gap_lengths.tobytes()
    return entry, tables + codes + gaps


def _choose(weights: SharedWeights) -> _Coded:
    every = (to_relative(weights.codes.reshape(-1), bits) for bits in INDEX_BITS)
    # A few zeros alone have no entry where gaps pass them all.
    coded = (_measure(each, len(weights.codebook) + 1) for each in every if len(each.codes))
    return min(coded, key=lambda each: each.code_bits + each.gap_bits + 8 * len(each.gap_lengths))


def _measure(relative: RelativeCodes, symbols: int) -> _Coded:
    counts = np.bincount(relative.codes, minlength=symbols)
    lengths = huffman.code_lengths(counts)
    if relative.index_bits == 0:
        return _Coded(relative, lengths, np.zeros(0, np.uint8), int(counts @ lengths), 0)
    gap_counts = np.bincount(relative.gaps, minlength=1 << relative.index_bits)
    gap_lengths = huffman.code_lengths(gap_counts)
    return _Coded(relative, lengths, gap_lengths, int(counts @ lengths), int(gap_counts @ gap_lengths))
