"""A tensor of few values, most of them perhaps zero: a codebook, and a code for each element."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

MOST_CENTROIDS = 255
"""Codes are bytes, and one of the 256 means zero."""


@dataclasses.dataclass(frozen=True)
class SharedWeights:
    """What Deep Compression leaves of a weight.

    Source: Han et al. 2015 (arXiv:1510.00149), section 3.
    """

    codebook: NDArray[np.float32]
    """(K,), K ≤ 255."""
    codes: NDArray[np.uint8]
    """In the weight's shape: 0 for a pruned weight, k for codebook[k - 1]."""

    def materialize(self) -> NDArray[np.float32]:
        """The weight itself."""
        dense: NDArray[np.float32] = np.concatenate([np.zeros(1, np.float32), self.codebook])[self.codes]
        return dense


@dataclasses.dataclass(frozen=True)
class RelativeCodes:
    """The codes that are not zero, each with the number of zeros before it.

    A gap has `index_bits` bits. Where there are more zeros, code 0 stands for one behind a full gap: a filler. Behind
    the last entry are fewer zeros than a full gap and a filler would be. With no bits there are no gaps, and
    each element is an entry.

    Source: Han et al. 2015 (arXiv:1510.00149), section 2 and figure 2.
    """

    index_bits: int
    gaps: NDArray[np.uint8]
    codes: NDArray[np.uint8]


def to_relative(codes: NDArray[np.uint8], index_bits: int) -> RelativeCodes:
    """Entries for `codes` (flat, at least one)."""
    if index_bits == 0:
        return RelativeCodes(0, np.zeros(len(codes), np.uint8), codes)
    reach = 1 << index_bits  # elements that an entry passes at most: its zeros and itself
    positions = np.flatnonzero(codes)
    passed = np.diff(positions, prepend=-1, append=len(codes))
    # What is behind the last one has no entry of its own: fillers until less than `reach` is left.
    fillers = (passed - 1) // reach
    entries = np.repeat(np.arange(len(passed)), fillers + 1)[: fillers.sum() + len(positions)]
    is_filler = np.concatenate([entries[1:] == entries[:-1], entries[-1:] == len(positions)])
    gaps = np.where(is_filler, reach - 1, (passed - 1 - fillers * reach)[entries])
    values = np.append(codes[positions], 0)[entries]
    return RelativeCodes(index_bits, gaps.astype(np.uint8), np.where(is_filler, 0, values).astype(np.uint8))


def to_positions(gaps: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The place of each entry."""
    positions: NDArray[np.int64] = np.cumsum(gaps.astype(np.int64) + 1) - 1
    return positions
