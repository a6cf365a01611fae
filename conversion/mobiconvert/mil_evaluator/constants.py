"""Constants of a MIL program: from protobuf values and weight files to tensors and strings."""

import math
from typing import Any

import numpy as np
import torch

from mobiconvert.mil_evaluator.blobs import WeightFile
from mobiconvert.mil_evaluator.dtypes import dtype_of_proto
from mobiconvert.mil_evaluator.package import CoreMLPackage, resolve_weight_file
from mobisdk.errors import BundleError, UnsupportedError

Constant = torch.Tensor | str

_STRING_CODE = 2


class ConstantReader:
    """Reads the constants of one package; weight files are opened once and dropped with the reader.

    Raises:
        BundleError: a constant or the weight file is damaged, truncated or missing.
        UnsupportedError: a constant is a list or a dictionary, or of a type that is not evaluated.
    """

    def __init__(self, package: CoreMLPackage) -> None:
        self._package = package
        self._weight_files: dict[str, WeightFile] = {}

    def read(self, value: Any, name: str) -> Constant:
        """The constant in a MIL `Value` message; `name` is what an error calls it."""
        if value.type.WhichOneof("type") != "tensorType":
            raise UnsupportedError(
                f"constant {name} is not a tensor", got=value.type.WhichOneof("type"), hint="Only tensors are evaluated"
            )
        tensor_type = value.type.tensorType
        shape = tuple(dimension.constant.size for dimension in tensor_type.dimensions)
        if tensor_type.dataType == _STRING_CODE:
            return _read_string(value, shape, name)
        dtype = dtype_of_proto(tensor_type.dataType)
        count = math.prod(shape)
        if value.WhichOneof("value") == "blobFileValue":
            file = self._weight_file(value.blobFileValue.fileName)
            flat = file.read(value.blobFileValue.offset, dtype, count)
        else:
            stored = _immediate(value, name)
            if stored.WhichOneof("value") == "bytes":
                packed = stored.bytes.values
                if len(packed) != dtype.packed_size(count):
                    raise BundleError(f"constant {name} does not fill its shape", got=len(packed), allowed=f"{shape}")
                flat = dtype.unpack(packed, count)
            else:
                flat = np.array(getattr(stored, stored.WhichOneof("value")).values)
        if flat.size != count:
            raise BundleError(f"constant {name} does not fill its shape", got=flat.size, allowed=f"{shape}")
        return dtype.to_torch(flat.reshape(shape))

    def _weight_file(self, name: str) -> WeightFile:
        if name not in self._weight_files:
            self._weight_files[name] = WeightFile(resolve_weight_file(self._package, name))
        return self._weight_files[name]


def _read_string(value: Any, shape: tuple[int, ...], name: str) -> str:
    strings = _immediate(value, name).strings.values
    if shape or len(strings) != 1:
        raise UnsupportedError(f"constant {name} is a list of strings", got=len(strings), allowed="one string")
    return str(strings[0])


def _immediate(value: Any, name: str) -> Any:
    if value.WhichOneof("value") != "immediateValue" or value.immediateValue.WhichOneof("value") != "tensor":
        raise BundleError(f"constant {name} has no value")
    tensor = value.immediateValue.tensor
    if tensor.WhichOneof("value") is None:
        raise BundleError(f"constant {name} has no value")
    return tensor


def as_attribute(constant: Constant) -> Any:
    """A constant as a plain Python value: a string, a number, or a tuple of numbers."""
    if isinstance(constant, str):
        return constant
    values = constant.tolist()
    return tuple(values) if isinstance(values, list) else values
