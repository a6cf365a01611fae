"""The samples of many lines, read apart: most of a log's bytes are whole numbers, in five lists a line.

simdjson reads them many times as fast as Arrow, and refuses a line that is not JSON; Arrow gets the lines with these
lists emptied. Neither makes a Python object of a sample.
"""

import dataclasses
import itertools
import threading
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SAMPLE_LISTS: Final = ("warmup_ns", "preprocess_ns", "inference_ns", "postprocess_ns", "sample_at_ns")
_KEY_END: Final = np.frombuffer(b'_ns":', np.uint8)
_readers = threading.local()


@dataclasses.dataclass(frozen=True)
class CutLines:
    """Lines without their samples."""

    rest: bytes
    offsets: NDArray[np.int64]
    """Where each line begins in `rest`, and where the last one ends."""
    samples: dict[str, Any]
    """By field an Arrow array of a list a line."""


def cut_samples(text: bytes, offsets: NDArray[np.int64]) -> CutLines | None:
    """Cut the samples out of the lines of `text`, which begin at `offsets` (one more at the end).

    None where a line is not JSON, lacks a list, or has something else in it than whole numbers of 64 bits. A list that
    is written with a space before it is read, and stays in `rest` too.
    """
    bounds = offsets.tolist()
    lines = list(itertools.pairwise(bounds))
    sizes: list[list[int]] = [[] for _ in SAMPLE_LISTS]
    values: list[list[Any]] = [[] for _ in SAMPLE_LISTS]
    parse = _reader().parse
    try:
        for begin, end in lines:
            run = parse(text[begin:end])
            for name, lengths, lists in zip(SAMPLE_LISTS, sizes, values, strict=True):
                samples = run[name]
                lengths.append(len(samples))
                lists.append(samples.as_buffer(of_type="i"))
                del samples
            del run  # the reader has one line at a time
    except (KeyError, TypeError, ValueError, RuntimeError):  # as simdjson calls them; `parse_run` will find words
        return None
    columns = zip(SAMPLE_LISTS, sizes, values, strict=True)
    return CutLines(*_empty_lists(text, offsets), {name: _to_lists(*column) for name, *column in columns})


def _reader() -> Any:
    if not hasattr(_readers, "parser"):
        import simdjson

        _readers.parser = simdjson.Parser()
    return _readers.parser


def _empty_lists(text: bytes, offsets: NDArray[np.int64]) -> tuple[bytes, NDArray[np.int64]]:
    """Leave out what is in lists of nanoseconds: the text, and where its lines begin.

    In JSON, where it was read as such, `_ns":[` is the end of a key and its list: inside a text, the quote would have a
    backslash. Where one holds more than numbers and commas, all of them stay.
    """
    signs = np.frombuffer(text, np.uint8)
    opened, closed = (np.flatnonzero(signs == ord(sign)) for sign in "[]")
    opened = opened[opened >= len(_KEY_END)]
    is_list = (signs[opened[:, None] - np.arange(len(_KEY_END), 0, -1)] == _KEY_END).all(axis=1)
    first = opened[is_list] + 1
    last = closed[np.minimum(np.searchsorted(closed, first), len(closed) - 1)]
    bounds = np.concatenate([[0], np.stack([first, last], axis=1).ravel(), [len(text)]])
    if (np.diff(bounds) < 0).any():
        return text, offsets
    buffers: Any = [None, pa.py_buffer(bounds.astype(np.int32).tobytes()), pa.py_buffer(text)]
    pieces: Any = pa.BinaryArray.from_buffers(pa.binary(), len(bounds) - 1, buffers)
    inside = np.frombuffer(_take(pieces, 1), np.uint8)
    if inside.size and not (ord(",") <= inside.min() and inside.max() <= ord("9")):
        return text, offsets
    left_out = np.concatenate([[0], np.cumsum(last - first)])
    return _take(pieces, 0).to_pybytes(), offsets - left_out[np.searchsorted(first, offsets)]


def _take(pieces: Any, first: int) -> Any:
    """Join every other piece."""
    taken = pieces.take(pa.array(np.arange(first, len(pieces), 2)))
    ends = np.frombuffer(taken.buffers()[1], np.int32)
    return taken.buffers()[2].slice(0, int(ends[len(taken)]))


def _to_lists(sizes: list[int], values: list[Any]) -> Any:
    ends: Any = pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
    return pa.ListArray.from_arrays(ends, pa.array(np.frombuffer(b"".join(values), np.int64)))
