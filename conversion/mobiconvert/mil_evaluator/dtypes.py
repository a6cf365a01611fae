"""The types of a MIL program's values, and how torch holds them.

A float16 value is held as a float32 tensor of values that float16 has: torch's float32 arithmetic is then the wide
accumulation, and one rounding after each operation makes the result a float16 value again.
"""

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray

from mobisdk.errors import UnsupportedError


@dataclasses.dataclass(frozen=True)
class Dtype:
    """One type: its MIL name, what a stored value is, and what holds it while the program runs."""

    name: str
    stored: type[np.generic]
    held: torch.dtype
    bits: int

    def packed_size(self, count: int) -> int:
        """Bytes that `count` values take in a file."""
        return (count * self.bits + 7) // 8

    def unpack(self, packed: bytes, count: int) -> NDArray[np.generic]:
        """Flat values out of a file's little-endian bytes; `len(packed)` must be `packed_size(count)`."""
        if self.bits >= 8:
            return np.frombuffer(packed, np.dtype(self.stored).newbyteorder("<"))
        values = unpack_bits(np.frombuffer(packed, np.uint8), self.bits, count)
        if np.issubdtype(self.stored, np.signedinteger):
            wide = values.astype(np.int8)
            return np.where(wide >= 1 << (self.bits - 1), wide - (1 << self.bits), wide).astype(np.int8)
        return values

    def to_torch(self, values: NDArray[np.generic]) -> torch.Tensor:
        """A tensor of its own memory."""
        return torch.from_numpy(np.array(values, dtype=self.stored, order="C").astype(_NUMPY_OF[self.held]))

    def to_numpy(self, value: torch.Tensor) -> NDArray[np.generic]:
        """The value as the program declares it: a float16 result is float16 again."""
        return value.numpy().astype(self.stored)

    def settle(self, value: torch.Tensor) -> torch.Tensor:
        """An operation's result as a value of this type: float16 is rounded to nearest even, and overflows to ∞."""
        if self.name == "fp16":
            return value.to(torch.float16).to(torch.float32)
        return value.to(self.held)


def unpack_bits(packed: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint8]:
    """`count` values of `bits` bits each, the first in the lowest bits of the first byte.

    Raises:
        ValueError: they do not fill the bytes.
    """
    if len(packed) != (count * bits + 7) // 8:
        raise ValueError(f"{len(packed)} bytes do not hold {count} values of {bits} bits")
    stream = np.unpackbits(packed, bitorder="little", count=count * bits).reshape(count, bits)
    return np.packbits(stream, axis=1, bitorder="little").reshape(count)


_NUMPY_OF: dict[torch.dtype, type[np.generic]] = {
    torch.float32: np.float32,
    torch.bool: np.bool_,
    torch.int8: np.int8,
    torch.uint8: np.uint8,
    torch.int16: np.int16,
    torch.int32: np.int32,
    torch.int64: np.int64,
}

DTYPES = {
    dtype.name: dtype
    for dtype in (
        Dtype("fp16", np.float16, torch.float32, 16),
        Dtype("fp32", np.float32, torch.float32, 32),
        Dtype("bool", np.bool_, torch.bool, 8),
        Dtype("int4", np.int8, torch.int8, 4),
        Dtype("int8", np.int8, torch.int8, 8),
        Dtype("int16", np.int16, torch.int16, 16),
        Dtype("int32", np.int32, torch.int32, 32),
        Dtype("uint1", np.uint8, torch.uint8, 1),
        Dtype("uint2", np.uint8, torch.uint8, 2),
        Dtype("uint3", np.uint8, torch.uint8, 3),
        Dtype("uint4", np.uint8, torch.uint8, 4),
        Dtype("uint6", np.uint8, torch.uint8, 6),
        Dtype("uint8", np.uint8, torch.uint8, 8),
        # torch computes with few unsigned types: these are held in the next wider signed one.
        Dtype("uint16", np.uint16, torch.int32, 16),
        Dtype("uint32", np.uint32, torch.int64, 32),
    )
}

# Source: coremltools, mlmodel/format/MIL.proto, enum DataType.
_PROTO_CODES = {
    1: "bool", 10: "fp16", 11: "fp32", 21: "int8", 22: "int16", 23: "int32", 25: "int4", 31: "uint8", 32: "uint16",
    33: "uint32", 35: "uint4", 36: "uint2", 37: "uint1", 38: "uint6", 39: "uint3",
}  # fmt: skip


def dtype_of_proto(code: int) -> Dtype:
    """The type of a MIL message's `DataType`.

    Raises:
        UnsupportedError: a type that no network of ours has (float64, int64, float8 …).
    """
    name = _PROTO_CODES.get(code)
    if name is None:
        raise UnsupportedError(
            "a value of the program has a type that is not evaluated", got=code, allowed="see MIL.proto"
        )
    return DTYPES[name]
