import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobisdk.compression import huffman
from mobisdk.errors import DataError


def expected_cost(counts: list[int]) -> int:
    """Bits of all symbols under an optimal code: the sum of the merged weights (Huffman 1952)."""
    heap = [count for count in counts if count]
    heapq.heapify(heap)
    cost = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        cost += merged
        heapq.heappush(heap, merged)
    return cost


def test_lengths_when_worked_by_hand() -> None:
    # Cormen et al., Introduction to Algorithms, figure 16.4: a:45 b:13 c:12 d:16 e:9 f:5, 224 bits for 100 letters.
    counts = np.array([45, 13, 12, 16, 9, 5])
    lengths = huffman.code_lengths(counts)
    assert lengths.tolist() == [1, 3, 3, 3, 4, 4]
    assert int(counts @ lengths) == 224


def test_stream_when_worked_by_hand() -> None:
    # Canonical: a 0, b 100, c 101, d 110, e 1110, f 1111; "face" is 1111 0 101 1110, and four bits of filling.
    lengths = np.array([1, 3, 3, 3, 4, 4], np.uint8)
    assert huffman.encode(np.array([5, 0, 2, 4]), lengths) == bytes([0b11110101, 0b11100000])
    assert huffman.decode(bytes([0b11110101, 0b11100000]), 4, lengths).tolist() == [5, 0, 2, 4]


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=256).filter(any))
@settings(max_examples=60, deadline=None)
def test_lengths_when_drawn_then_they_are_optimal_and_fill_the_code_space(counts: list[int]) -> None:
    lengths = huffman.code_lengths(np.array(counts))
    used = [count for count in counts if count]
    assert [length > 0 for length in lengths] == [count > 0 for count in counts]
    if len(used) == 1:
        assert lengths.max() == 1
    else:
        assert sum(2.0 ** -int(length) for length in lengths if length) == 1
        assert int(np.array(counts) @ lengths.astype(np.int64)) == expected_cost(counts)


def test_lengths_when_counts_are_fibonaccis_then_they_are_cut_at_32_bits() -> None:
    counts = [1, 1]
    while len(counts) < 60:
        counts.append(counts[-1] + counts[-2])
    lengths = huffman.code_lengths(np.array(counts))
    assert lengths.max() <= 32
    assert sum(2.0 ** -int(length) for length in lengths) == 1


@given(st.lists(st.integers(0, 40), min_size=1, max_size=3000))
@settings(max_examples=60, deadline=None)
def test_symbols_when_encoded_then_decode_gives_them_back(symbols: list[int]) -> None:
    values = np.array(symbols, np.uint8)
    lengths = huffman.code_lengths(np.bincount(values, minlength=41))
    stream = huffman.encode(values, lengths)
    assert len(stream) == -(-int(lengths[values].astype(int).sum()) // 8)
    np.testing.assert_array_equal(huffman.decode(stream, len(values), lengths), values)


def test_symbols_when_they_fill_several_blocks_then_decode_gives_them_back() -> None:
    values = np.random.default_rng(0).geometric(0.1, 200_000).clip(0, 100).astype(np.uint8)
    lengths = huffman.code_lengths(np.bincount(values, minlength=101))
    np.testing.assert_array_equal(huffman.decode(huffman.encode(values, lengths), len(values), lengths), values)


@pytest.mark.parametrize(
    ("stream", "count", "lengths"),
    [
        (b"\xf5\xe0\x00", 4, [1, 3, 3, 3, 4, 4]),  # a byte too many
        (b"\xf5\xe1", 4, [1, 3, 3, 3, 4, 4]),  # a bit in the filling
        (b"\xf5", 4, [1, 3, 3, 3, 4, 4]),  # cut
        (b"", 1, [1]),
        (b"\x80", 1, [1, 0]),  # the one code is 0
        (b"\x00", 1, [1, 2]),  # no whole code
        (b"\x00", 1, [1, 1, 1]),
        (b"\x00", 1, [0, 0]),
        (b"\x00", 1, [33, 1]),
        (b"\x00", 1, [1] * 257),
        (b"\x00", 10**15, [1, 1]),
    ],
)
def test_decode_when_stream_or_lengths_are_wrong_then_refuses(stream: bytes, count: int, lengths: list[int]) -> None:
    with pytest.raises(DataError):
        huffman.decode(stream, count, np.array(lengths, np.uint8))
