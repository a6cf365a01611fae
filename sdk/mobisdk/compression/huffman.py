"""Canonical Huffman codes: a code is its lengths alone, so that a file holds one byte a symbol and no tree.

Bits lie in a byte from the highest down. Codes of one length are consecutive numbers in the symbols' order, and the
first code of a length follows the last of the length before, shifted left.
"""

import heapq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mobisdk.errors import DataError

MOST_SYMBOLS = 256
LONGEST_CODE = 32
_BITS_AT_ONCE = 1 << 16


class _Codes(NamedTuple):
    """A code by length, for decoding: entry l is of codes of length l + 1."""

    ends: NDArray[np.uint64]
    """The first number of 32 bits that does not begin with a code of this length or a shorter one."""
    first: NDArray[np.int64]
    """The first code of this length."""
    offset: NDArray[np.int64]
    """Where the symbols of this length begin in `symbols`."""
    symbols: NDArray[np.int64]
    """By length, then by number."""


def code_lengths(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Bits of each symbol's code, (n,) for (n,) counts; 0 for a symbol that does not occur, 1 where only one does.

    Source: Huffman 1952, "A Method for the Construction of Minimum-Redundancy Codes"; of equal weights the earlier
    symbol is merged first.
    """
    counts = counts.copy()
    while True:
        lengths = _unlimited_lengths(counts)
        if lengths.max(initial=0) <= LONGEST_CODE:
            return lengths.astype(np.uint8)
        counts = (counts + 1) // 2  # flatter, so shorter at the longest: no symbol disappears


def _unlimited_lengths(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    lengths = np.zeros(len(counts), np.int64)
    heap = [(int(counts[symbol]), int(symbol), [int(symbol)]) for symbol in np.flatnonzero(counts)]
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        (count, order, symbols), (other_count, _, others) = heapq.heappop(heap), heapq.heappop(heap)
        merged = symbols + others
        lengths[merged] += 1
        heapq.heappush(heap, (count + other_count, order, merged))
    return lengths


def encode(symbols: NDArray[np.integer], lengths: NDArray[np.uint8]) -> bytes:
    """The codes of `symbols`, one after another, the last byte filled with zeros."""
    codes = _assign_codes(lengths)
    of_symbols = lengths[symbols].astype(np.int64)
    ends = np.cumsum(of_symbols)
    bits = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint8)
    for length in range(1, int(lengths.max(initial=0)) + 1):
        chosen = np.flatnonzero(of_symbols == length)
        values, starts = codes[symbols[chosen]], ends[chosen] - length
        for bit in range(length):
            bits[starts + bit] = (values >> np.uint64(length - 1 - bit)) & np.uint64(1)
    return np.packbits(bits).tobytes()


def decode(stream: bytes, count: int, lengths: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`count` symbols out of exactly `stream`; memory goes with `count` and the stream's length.

    Raises:
        DataError: the lengths are no code, the stream ends too early, has bytes or set bits left over, or holds a code
            that no symbol has.
    """
    codes = _check_lengths(lengths)
    total = 8 * len(stream)
    if count > total:
        raise DataError(
            "a Huffman stream is shorter than its symbols", got=len(stream), allowed=f"{-(-count // 8)} bytes"
        )
    padded = np.frombuffer(stream + bytes(8), np.uint8)
    visited = np.empty(count, np.int64)
    position = found = 0
    while found < count and position < total:
        # The length of a code that began at each of the coming bits; a walk over them finds where codes do begin.
        block = position
        starts = np.arange(block, min(block + _BITS_AT_ONCE, total))
        steps = (np.searchsorted(codes.ends, _windows(padded, starts), side="right") + 1).tolist()
        end = block + len(steps)
        while position < end and found < count:
            visited[found] = position
            position += steps[position - block]
            found += 1
    rest = np.unpackbits(np.frombuffer(stream[position // 8 :], np.uint8))[position % 8 :]
    if found < count or position > total or len(rest) > 7 or rest.any():
        raise DataError("a Huffman stream is not as long as its symbols", got=len(stream))
    windows = _windows(padded, visited)
    level = np.searchsorted(codes.ends, windows, side="right")
    if (level >= LONGEST_CODE).any():
        raise DataError("a Huffman stream holds a code that no symbol has")
    values = (windows >> (31 - level).astype(np.uint64)).astype(np.int64)
    symbols: NDArray[np.uint8] = codes.symbols[codes.offset[level] + values - codes.first[level]].astype(np.uint8)
    return symbols


def _windows(padded: NDArray[np.uint8], starts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The 32 bits from each start on."""
    first = starts // 8
    value = np.zeros(len(starts), np.uint64)
    for byte in range(5):
        value = (value << np.uint64(8)) | padded[first + byte]
    return (value >> (8 - starts % 8).astype(np.uint64)) & np.uint64(0xFFFFFFFF)


def _assign_codes(lengths: NDArray[np.uint8]) -> NDArray[np.uint64]:
    codes = np.zeros(len(lengths), np.uint64)
    code = 0
    for length in range(1, LONGEST_CODE + 1):
        symbols = np.flatnonzero(lengths == length)
        codes[symbols] = np.arange(code, code + len(symbols), dtype=np.uint64)
        code = (code + len(symbols)) << 1
    return codes


def _check_lengths(lengths: NDArray[np.uint8]) -> _Codes:
    counts = np.bincount(lengths, minlength=LONGEST_CODE + 1)
    if len(lengths) > MOST_SYMBOLS or len(counts) > LONGEST_CODE + 1:
        raise DataError("a Huffman code is too long", got=int(lengths.max(initial=0)), allowed=f"{LONGEST_CODE} bits")
    taken = sum(int(number) << (LONGEST_CODE - length) for length, number in enumerate(counts) if length)
    if taken != 1 << LONGEST_CODE and counts[1:].tolist() != [1] + [0] * (LONGEST_CODE - 1):
        raise DataError("lengths are not those of a Huffman code", got=lengths.tolist())
    first, ends, code = [], [], 0
    for length in range(1, LONGEST_CODE + 1):
        first.append(code)
        code += int(counts[length])
        ends.append(code << (LONGEST_CODE - length))
        code <<= 1
    symbols = np.lexsort((np.arange(len(lengths)), lengths))
    offset = np.concatenate([[counts[0]], counts[0] + np.cumsum(counts[1:-1])])
    return _Codes(np.array(ends, np.uint64), np.array(first, np.int64), offset.astype(np.int64), symbols)
