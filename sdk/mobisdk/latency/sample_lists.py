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
_OPENINGS: Final = tuple(f'"{name}":['.encode() for name in SAMPLE_LISTS)
"""In JSON, where it was read as such, this is a key and its list: inside a text, its quotes would have backslashes."""
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
    rest, lengths = _empty_lists(text, lines)
    columns = zip(SAMPLE_LISTS, sizes, values, strict=True)
    return CutLines(
        rest,
        np.concatenate([[0], np.cumsum(lengths)]),
        {name: _to_lists(sizes, values) for name, sizes, values in columns},
    )


def _reader() -> Any:
    if not hasattr(_readers, "parser"):
        import simdjson

        _readers.parser = simdjson.Parser()
    return _readers.parser


def _empty_lists(text: bytes, lines: list[tuple[int, int]]) -> tuple[bytes, list[int]]:
    """Leave out what is in the lists: the text, and how long each line then is."""
    pieces: list[bytes] = []
    lengths = []
    openings = _OPENINGS
    for begin, end in lines:
        cuts = _find_lists(text, begin, end, openings)
        if cuts is None:  # another writer's order
            openings = tuple(sorted(_OPENINGS, key=lambda opening: text.find(opening, begin, end)))
            cuts = _find_lists(text, begin, end, openings) or []
        length = end - begin
        for first, last in cuts:
            pieces.append(text[begin:first])
            length -= last - first
            begin = last
        pieces.append(text[begin:end])
        lengths.append(length)
    return b"".join(pieces), lengths


def _find_lists(text: bytes, begin: int, end: int, openings: tuple[bytes, ...]) -> list[tuple[int, int]] | None:
    """Find what is in the lists, where they come in this order."""
    cuts = []
    find = text.find
    for opening in openings:
        first = find(opening, begin, end)
        if first < 0:
            return None
        first += len(opening)
        begin = find(b"]", first, end)
        cuts.append((first, begin))
    return cuts


def _to_lists(sizes: list[int], values: list[Any]) -> Any:
    ends: Any = pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
    return pa.ListArray.from_arrays(ends, pa.array(np.frombuffer(b"".join(values), np.int64)))
