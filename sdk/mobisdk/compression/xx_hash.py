"""xxHash of many index pairs at once."""

import numpy as np
from numpy.typing import NDArray

_PRIMES = tuple(np.uint32(prime) for prime in (2654435761, 2246822519, 3266489917, 668265263, 374761393))


def hash_pairs(rows: int, columns: int, seed: int) -> NDArray[np.uint32]:
    """XXH32 of each (row, column), both as little-endian 32-bit numbers: (rows, columns).

    Source: xxHash fast digest algorithm, version 0.1.1, "XXH32 algorithm description", for inputs of eight bytes.
    """
    _, second, third, fourth, fifth = _PRIMES
    with np.errstate(over="ignore"):
        start = np.uint32(seed & 0xFFFFFFFF) + fifth + np.uint32(8)
        row = _rotate(start + np.arange(rows, dtype=np.uint32) * third) * fourth
        value = _rotate(row[:, None] + np.arange(columns, dtype=np.uint32) * third) * fourth
        value ^= value >> np.uint32(15)
        value *= second
        value ^= value >> np.uint32(13)
        value *= third
        value ^= value >> np.uint32(16)
    return value


def _rotate(value: NDArray[np.uint32]) -> NDArray[np.uint32]:
    rotated: NDArray[np.uint32] = (value << np.uint32(17)) | (value >> np.uint32(15))
    return rotated
