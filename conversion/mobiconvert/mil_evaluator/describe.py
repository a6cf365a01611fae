"""What a package says of itself, without running it, and without knowing all of its operations."""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mobiconvert.mil_evaluator.dtypes import dtype_of_proto
from mobiconvert.mil_evaluator.load import check_known, main_function
from mobiconvert.mil_evaluator.neural_engine import LeavesNeuralEngine, find_leaving
from mobiconvert.mil_evaluator.package import open_package
from mobisdk.errors import UnsupportedError

# Source: coremltools, mlmodel/format/Model.proto, specificationVersion.
_SYSTEMS = {4: "iOS 13", 5: "iOS 14", 6: "iOS 15", 7: "iOS 16", 8: "iOS 17", 9: "iOS 18", 10: "iOS 26"}


@dataclasses.dataclass(frozen=True)
class PackageReport:
    """A package, read."""

    specification_version: int
    needs: str
    """The first iOS that runs it."""
    size_bytes: int
    inputs: Mapping[str, str]
    """Each by name, in words for a person."""
    outputs: Mapping[str, str]
    operations: Mapping[str, int]
    """How many of each type, the most frequent first; constants and the unpacking of weights left out."""
    unknown: tuple[str, ...]
    """Why the evaluator cannot run it, a sentence for each operation that it does not know."""
    weights: "WeightsReport"
    leaves_neural_engine: tuple[LeavesNeuralEngine, ...]


@dataclasses.dataclass(frozen=True)
class WeightsReport:
    """What is stored in weight files."""

    values: int
    """Weights as the layers see them."""
    stored_bytes: int
    types: Mapping[str, int]
    """How many values of each type are stored, palettes, scales and masks with them."""
    unpacking: Mapping[str, int]
    """How many operations of each type turn what is stored into weights: `constexpr_lut_to_dense`."""

    @property
    def bits(self) -> float:
        """Of a weight, on average."""
        return 8 * self.stored_bytes / self.values if self.values else 0.0


def describe_package(path: Path) -> PackageReport:
    """Read a saved `.mlpackage`, on any system.

    Raises:
        BundleError: the package is damaged, incomplete, or leads outside itself.
        UnsupportedError: it is not an ML program.
    """
    package = open_package(path)
    function, block, description = main_function(package)
    version = int(package.specification.specificationVersion)
    types = Counter(message.type for message in block.operations if message.type != "const")
    return PackageReport(
        specification_version=version,
        needs=_SYSTEMS.get(version, f"a system with Core ML specification {version}"),
        size_bytes=sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        inputs={feature.name: _feature(feature.type) for feature in description.input},
        outputs={feature.name: _feature(feature.type) for feature in description.output},
        operations={name: count for name, count in types.most_common() if not name.startswith("constexpr_")},
        unknown=tuple(_refusals(block)),
        weights=_describe_weights(
            block, {name: count for name, count in types.most_common() if name.startswith("constexpr_")}
        ),
        leaves_neural_engine=find_leaving(block, function.inputs),
    )


def _refusals(block: Any) -> Iterator[str]:
    for message in block.operations:
        try:
            check_known(message)
        except UnsupportedError as refusal:
            yield refusal.what


def _feature(type_: Any) -> str:
    kind = type_.WhichOneof("Type")
    if kind == "imageType":
        image = type_.imageType
        return f"{image.ColorSpace.Name(image.colorSpace)} image, {image.width}×{image.height}"
    if kind == "multiArrayType":
        array = type_.multiArrayType
        return f"{array.ArrayDataType.Name(array.dataType).lower()} ({', '.join(map(str, array.shape))})"
    return str(kind).removesuffix("Type")


def _describe_weights(block: Any, unpacking: Mapping[str, int]) -> WeightsReport:
    """Weights are what weight files hold, or what constexpr operations make of it; neither is counted twice."""
    types: Counter[str] = Counter()
    stored_bytes = 0
    sizes: dict[str, int] = {}
    unpacked: set[str] = set()
    for message in block.operations:
        makes = message.type.startswith("constexpr_")
        for value in (*message.attributes.values(), *_inline_values(message)):
            if value.WhichOneof("value") != "blobFileValue":
                continue
            dtype, count = dtype_of_proto(value.type.tensorType.dataType), _count(value.type)
            types[dtype.name] += count
            stored_bytes += dtype.packed_size(count)
            sizes[message.outputs[0].name] = count
        if makes:
            # The last of an operation's results is the weight; a mask may come before it.
            sizes[message.outputs[-1].name] = _count(message.outputs[-1].type)
            unpacked.update(binding.name for argument in message.inputs.values() for binding in argument.arguments)
    values = sum(size for name, size in sizes.items() if name not in unpacked)
    return WeightsReport(values, stored_bytes, dict(types.most_common()), unpacking)


def _inline_values(message: Any) -> Iterator[Any]:
    """Values that an operation's inputs hold in place of a name."""
    for argument in message.inputs.values():
        for binding in argument.arguments:
            if binding.WhichOneof("binding") == "value":
                yield binding.value


def _count(type_: Any) -> int:
    return math.prod(dimension.constant.size for dimension in type_.tensorType.dimensions)
