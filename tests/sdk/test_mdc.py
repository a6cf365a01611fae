import hashlib
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mobisdk.compression.mdc_decoding import decode_mdc
from mobisdk.compression.mdc_encoding import encode_mdc
from mobisdk.compression.shared_weights import SharedWeights, to_positions, to_relative
from mobisdk.errors import DataError

# 20 weights: a gap of 17 zeros between two of them.
CODES = np.array([1, 0, *[0] * 17, 2], np.uint8)
CODEBOOK = np.array([-0.5, 0.25], np.float32)


def pack(codes: np.ndarray = CODES, codebook: np.ndarray = CODEBOOK) -> bytes:
    tensors = {"layer.weight": SharedWeights(codebook, codes), "layer.bias": np.array([1.5, -2], np.float32)}
    return encode_mdc({"model": "a test's"}, tensors)


def forge(header: dict, payload: bytes) -> bytes:
    """A file whose hash is right, whatever it says."""
    text = json.dumps(header).encode()
    start, body = b"MDC1" + struct.pack("<I", len(text)), text + payload
    return start + hashlib.sha256(start + body).digest() + body


def parts(content: bytes) -> tuple[dict, bytes]:
    (length,) = struct.unpack_from("<I", content, 4)
    return json.loads(content[40 : 40 + length]), content[40 + length :]


def test_relative_codes_when_worked_by_hand() -> None:
    # Han et al. 2015, figure 2: weights at 1, 4 and 15, gaps of three bits: a filler stands after the eight elements
    # 5 to 12, and two zeros later comes the last.
    codes = np.zeros(16, np.uint8)
    codes[[1, 4, 15]] = [7, 8, 9]
    relative = to_relative(codes, 3)
    assert relative.gaps.tolist() == [1, 2, 7, 2]
    assert relative.codes.tolist() == [7, 8, 0, 9]
    assert to_positions(relative.gaps).tolist() == [1, 4, 12, 15]


def test_file_when_packed_then_its_bytes_are_those_that_the_format_says() -> None:
    content = pack()
    header, payload = parts(content)
    assert content[:4] == b"MDC1"
    assert content[8:40] == hashlib.sha256(content[:8] + content[40:]).digest()
    shared, raw = header["tensors"]
    assert raw == {"name": "layer.bias", "encoding": "raw", "dtype": "float32", "shape": [2]}
    assert payload.endswith(struct.pack("<2f", 1.5, -2))
    assert payload.startswith(struct.pack("<2f", -0.5, 0.25))
    # Every element an entry takes 1 bit for a zero, 2 for a weight: 22. Gaps would take their table of four bytes more.
    assert (shared["index_bits"], shared["entries"], shared["code_bytes"], shared["gap_bytes"]) == (0, 20, 3, 0)
    assert payload[8:11] == bytes([1, 2, 2])
    assert payload[11:14] == bytes([0b10000000, 0b00000000, 0b00001100])


@given(
    arrays(np.uint8, st.integers(1, 400), elements=st.integers(0, 5)),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=100, deadline=None)
def test_tensors_when_packed_then_come_back_bit_for_bit(codes: np.ndarray, zeros: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    codes = np.where(random.random(len(codes)) < zeros, 0, codes).astype(np.uint8).reshape(1, -1)
    codebook = random.standard_normal(5).astype(np.float32)
    content = encode_mdc({}, {"w": SharedWeights(codebook, codes), "n": np.array(3, np.int64)})
    decoded = decode_mdc(content)
    shared = decoded.tensors["w"]
    assert isinstance(shared, SharedWeights)
    np.testing.assert_array_equal(shared.codes, codes)
    assert shared.codebook.tobytes() == codebook.tobytes()
    assert decoded.tensors["n"] == 3
    assert encode_mdc(decoded.checkpoint, decoded.tensors) == content


def test_sizes_when_a_file_is_read_then_the_papers_accounting_is_beside_the_files() -> None:
    random = np.random.default_rng(0)
    codes = np.where(random.random(40_000) < 0.92, 0, random.integers(1, 32, 40_000)).astype(np.uint8)
    content = pack(codes.reshape(200, 200), random.standard_normal(31).astype(np.float32))
    (size,) = decode_mdc(content).sizes
    assert size.code_bits == 5
    assert size.entries >= np.count_nonzero(codes)
    assert size.paper_bytes == -(-(size.entries * (5 + size.index_bits) + 31 * 32) // 8)
    assert size.size_bytes < size.paper_bytes  # Huffman coding is worth more than its tables


def test_file_when_any_byte_is_flipped_then_refused() -> None:
    content = pack()
    for place in range(len(content)):
        for mask in (1, 0x80, 0xFF):
            damaged = bytearray(content)
            damaged[place] ^= mask
            with pytest.raises(DataError):
                decode_mdc(bytes(damaged))


def test_file_when_truncated_anywhere_then_refused() -> None:
    content = pack()
    for length in range(len(content)):
        with pytest.raises(DataError):
            decode_mdc(content[:length])
    with pytest.raises(DataError):
        decode_mdc(content + b"\0")


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_bytes_when_random_then_refused(content: bytes) -> None:
    for start in (b"", b"MDC1"):
        with pytest.raises(DataError):
            decode_mdc(start + content)


@given(st.binary(min_size=1, max_size=60), st.integers(1, 60))
@settings(max_examples=200, deadline=None)
def test_payload_when_random_behind_a_right_hash_then_decodes_or_is_refused(payload: bytes, entries: int) -> None:
    entry = {"name": "w", "encoding": "shared", "shape": [8, 8], "centroids": 2, "index_bits": 2, "entries": entries}
    streams = len(payload) - 8 - 3 - 4
    header = {"schema": "mobisdk.mdc/1", "checkpoint": {}}
    content = forge(
        {**header, "tensors": [{**entry, "code_bytes": streams // 2, "gap_bytes": -(-streams // 2)}]}, payload
    )
    try:
        shared = decode_mdc(content).tensors["w"]
    except DataError:
        return
    assert shared.codes.shape == (8, 8)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [2**20, 2**20]},  # more than its entries can fill
        {"shape": [21]},
        {"shape": [-1, -20]},
        {"shape": [20.0]},
        {"shape": 20},
        {"shape": [1] * 9},
        {"shape": []},
        {"centroids": 256},
        {"centroids": True},
        {"centroids": 3},
        {"index_bits": 9},
        {"index_bits": 8},
        {"entries": 2**50},
        {"entries": 19},
        {"entries": 0},
        {"code_bytes": 2**50},
        {"code_bytes": 2},
        {"code_bytes": 0},
        {"gap_bytes": 1},
        {"encoding": "zip"},
        {"encoding": "raw", "dtype": "object"},
        {"encoding": "raw", "dtype": "float32"},
        {"encoding": None},
        {"name": 3},
        {"name": "layer.bias"},
        {"name": None},
    ],
)
def test_header_when_it_says_otherwise_behind_a_right_hash_then_refused(change: dict) -> None:
    header, payload = parts(pack())
    header["tensors"][0].update(change)
    with pytest.raises(DataError):
        decode_mdc(forge(header, payload))


@pytest.mark.parametrize(
    "header",
    [{}, [], 3, {"schema": "mobisdk.mdc/2"}, {"schema": "mobisdk.mdc/1", "checkpoint": [], "tensors": []}]
    + [{"schema": "mobisdk.mdc/1", "checkpoint": {}, "tensors": tensors} for tensors in (3, [3], [{}], {"a": 1})],
)
def test_header_when_it_is_none_behind_a_right_hash_then_refused(header: object) -> None:
    with pytest.raises(DataError):
        decode_mdc(forge(header, b""))  # type: ignore[arg-type]


def test_header_when_nested_ten_thousand_deep_then_refused() -> None:
    text = b"[" * 10_000
    start = b"MDC1" + struct.pack("<I", len(text))
    with pytest.raises(DataError):
        decode_mdc(start + hashlib.sha256(start + text).digest() + text)


def test_codebook_when_it_holds_a_nan_then_refused() -> None:
    with pytest.raises(DataError, match="NaN"):
        decode_mdc(pack(codebook=np.array([np.nan, 0.25], np.float32)))


@pytest.mark.parametrize("shape", [(1,), (3,), (300, 7)])
def test_tensor_when_all_zeros_then_comes_back(shape: tuple[int, ...]) -> None:
    shared = decode_mdc(pack(np.zeros(shape, np.uint8))).tensors["layer.weight"]
    assert isinstance(shared, SharedWeights)
    assert shared.codes.shape == shape
    assert not shared.materialize().any()


def test_memory_when_a_small_file_asks_for_much_then_it_is_bounded_by_its_size() -> None:
    import tracemalloc

    header, payload = parts(pack())
    header["tensors"][0].update({"shape": [2**39], "entries": 24, "index_bits": 8, "gap_bytes": 1})
    content = forge(header, payload)
    tracemalloc.start()
    with pytest.raises(DataError):
        decode_mdc(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
