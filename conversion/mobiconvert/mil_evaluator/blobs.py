"""Core ML's weight file: constants stored beside the program.

A 64-byte header, then pairs of a 64-byte record and its data, each aligned to 64 bytes. A constant of the program
holds its record's offset.

Source: coremltools, mlmodel/src/MILBlob/Blob/StorageFormat.hpp and BlobDataType.hpp.
"""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobiconvert.mil_evaluator.dtypes import Dtype
from mobisdk.errors import BundleError

_RECORD = struct.Struct("<IIQQQ")
_RECORD_MARK = 0xDEADBEEF
_VERSION = 2
_BLOB_CODES = {
    1: "fp16", 2: "fp32", 3: "uint8", 4: "int8", 6: "int16", 7: "uint16", 8: "int4", 9: "uint1", 10: "uint2",
    11: "uint4", 12: "uint3", 13: "uint6", 14: "int32", 15: "uint32",
}  # fmt: skip


class WeightFile:
    """One weight file, read once and held while a program is loaded.

    Raises:
        BundleError: it is not a weight file of the only known version.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._content = path.read_bytes()
        version = struct.unpack_from("<II", self._content)[1] if len(self._content) >= 64 else None
        if version != _VERSION:
            raise BundleError(
                f"{self._name} is not a Core ML weight file, or is damaged", got=version, allowed="version 2"
            )

    def read(self, offset: int, dtype: Dtype, count: int) -> NDArray[np.generic]:
        """The `count` values of the record at `offset`, flat; types of less than a byte are unpacked.

        Raises:
            BundleError: the record is no record, of another type or size, or runs past the file's end.
        """
        if not 0 <= offset <= len(self._content) - 64:
            raise BundleError(
                f"{self._name} is truncated", got=len(self._content), allowed=f"a record at byte {offset}"
            )
        mark, code, size, start, _ = _RECORD.unpack_from(self._content, offset)
        if mark != _RECORD_MARK:
            raise BundleError(f"{self._name} has no record where the program expects one", got=offset)
        if _BLOB_CODES.get(code) != dtype.name:
            raise BundleError(f"{self._name} holds another type", got=_BLOB_CODES.get(code, code), allowed=dtype.name)
        if size != dtype.packed_size(count):
            raise BundleError(
                f"{self._name} holds another number of bytes", got=size, allowed=f"{dtype.packed_size(count)}"
            )
        if start + size > len(self._content):
            raise BundleError(f"{self._name} is truncated", got=len(self._content), allowed=f"{start + size} bytes")
        return dtype.unpack(self._content[start : start + size], count)
