"""A saved ML program as steps that torch can run.

Loading looks at every operation before anything is computed: one that is not known is refused by name. Then
constants are read once, and whatever depends on constants alone (compressed weights above all) is computed once.
"""

import dataclasses
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from mobiconvert.mil_evaluator.constants import Constant, ConstantReader, as_attribute
from mobiconvert.mil_evaluator.dtypes import Dtype, dtype_of_proto
from mobiconvert.mil_evaluator.operators import OPERATORS
from mobiconvert.mil_evaluator.package import open_package
from mobisdk.errors import BundleError, UnsupportedError

Operator = Callable[..., torch.Tensor | tuple[torch.Tensor, ...]]
InputKind = Literal["image", "tensor"]

_ELSEWHERE = "Export the network with other layers, or run the package with Core ML on a Mac"


@dataclasses.dataclass(frozen=True)
class ValueType:
    """What a program declares of a value; an unknown dimension is None."""

    dtype: Dtype
    shape: tuple[int | None, ...]

    def admits(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of this shape may stand here."""
        return len(shape) == len(self.shape) and all(
            known in (None, size) for known, size in zip(self.shape, shape, strict=True)
        )


@dataclasses.dataclass(frozen=True)
class ProgramInput:
    """One input: an image takes values 0 to 255 in NCHW, a tensor is taken as it is."""

    name: str
    kind: InputKind
    type: ValueType
    color: str | None
    """Channel order of an image: "RGB", "BGR" or "GRAYSCALE"."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation, bound: which values it takes, what it is told, what it makes, what nobody needs after it."""

    kind: str
    name: str
    operator: Operator
    tensors: Mapping[str, str | tuple[str, ...]]
    attributes: Mapping[str, Any]
    results: tuple[tuple[str, ValueType], ...]
    released: tuple[str, ...] = ()

    def value_names(self) -> Iterator[str]:
        """Every value that the operation reads."""
        for names in self.tensors.values():
            yield from (names,) if isinstance(names, str) else names

    def run(self, values: dict[str, torch.Tensor]) -> None:
        """Compute, round to the declared types, and add the results to `values`.

        Raises:
            BundleError: the operation cannot be computed as the program states it.
        """
        arguments = {
            parameter: values[names] if isinstance(names, str) else tuple(values[name] for name in names)
            for parameter, names in self.tensors.items()
        }
        try:
            computed = self.operator(**arguments, **self.attributes)
        except (RuntimeError, ValueError, TypeError, IndexError) as exc:  # what torch raises for arguments that misfit
            raise BundleError(f"operation {self.kind} ({self.name}) cannot be computed", got=str(exc)) from exc
        outputs = computed if isinstance(computed, tuple) else (computed,)
        if len(outputs) != len(self.results):
            raise BundleError(
                f"operation {self.kind} ({self.name}) has another number of results",
                got=len(self.results),
                allowed=f"{len(outputs)}",
            )
        for (name, declared), output in zip(self.results, outputs, strict=True):
            if not declared.admits(tuple(output.shape)):
                raise BundleError(
                    f"operation {self.kind} ({self.name}) made another shape than the program declares",
                    got=tuple(output.shape),
                    allowed=f"{declared.shape}",
                )
            values[name] = declared.dtype.settle(output)


@dataclasses.dataclass(frozen=True)
class MilProgram:
    """An ML program that can be run: see `evaluate`."""

    inputs: tuple[ProgramInput, ...]
    outputs: tuple[tuple[str, ValueType], ...]
    constants: Mapping[str, torch.Tensor]
    steps: tuple[Step, ...]


def load_mil_program(package: Path) -> MilProgram:
    """Read a saved `.mlpackage`, on any system.

    Raises:
        BundleError: the package is damaged, incomplete, or leads outside itself.
        UnsupportedError: it is not an ML program, or has an operation that is not known here.
    """
    opened = open_package(package)
    function = _main_function(opened.specification)
    if function.opset not in function.block_specializations:
        raise BundleError("the program has no block for its own opset", got=function.opset)
    block = function.block_specializations[function.opset]
    for message in block.operations:
        _check_known(message)
    return _Binder(ConstantReader(opened)).bind(opened.specification, function, block)


def _main_function(model: Any) -> Any:
    functions = model.mlProgram.functions
    name = model.description.defaultFunctionName or "main"
    if name not in functions:
        raise BundleError("the program lacks its main function", got=sorted(functions), allowed=name)
    return functions[name]


def _operation_name(message: Any) -> str:
    if "name" in message.attributes:
        names = message.attributes["name"].immediateValue.tensor.strings.values
        if names:
            return str(names[0])
    return str(message.outputs[0].name) if message.outputs else "without a name"


def _check_known(message: Any) -> None:
    where = f"operation {message.type} ({_operation_name(message)})"
    if message.type == "const":
        return
    operator = OPERATORS.get(message.type)
    if operator is None:
        raise UnsupportedError(f"{where} of the program is not known to the evaluator", hint=_ELSEWHERE)
    parameters = inspect.signature(operator).parameters
    given = {*message.inputs, *message.attributes} - {"name"}
    unknown = sorted(given - set(parameters))
    if unknown:
        raise UnsupportedError(f"{where} has inputs that are not known to the evaluator", got=unknown, hint=_ELSEWHERE)
    missing = [
        name for name, parameter in parameters.items() if parameter.default is parameter.empty and name not in given
    ]
    if missing:
        raise UnsupportedError(
            f"{where} is of a form that the evaluator does not know: it lacks {missing[0]}", hint=_ELSEWHERE
        )


class _Binder:
    """Turns operations into steps, front to back."""

    def __init__(self, reader: ConstantReader) -> None:
        self._reader = reader
        self._constants: dict[str, Constant] = {}
        self._known: set[str] = set()
        self._steps: list[Step] = []

    def bind(self, model: Any, function: Any, block: Any) -> MilProgram:
        inputs = tuple(_program_inputs(model, function))
        self._known.update(given.name for given in inputs)
        for message in block.operations:
            if message.type == "const":
                self._add_constant(message)
            else:
                self._add_step(message)
        types = {name: declared for step in self._steps for name, declared in step.results}
        types |= {given.name: given.type for given in inputs}
        for name in block.outputs:
            if name not in types:
                raise BundleError("the program's output is made by no operation", got=name)
        outputs = tuple((name, types[name]) for name in block.outputs)
        return MilProgram(inputs, outputs, self._used_constants(), _with_releases(self._steps, set(block.outputs)))

    def _add_constant(self, message: Any) -> None:
        name = _operation_name(message)
        if "val" not in message.attributes or len(message.outputs) != 1:
            raise BundleError(f"constant {name} has no value")
        self._constants[message.outputs[0].name] = self._reader.read(message.attributes["val"], name)

    def _add_step(self, message: Any) -> None:
        name = _operation_name(message)
        operator = OPERATORS[message.type]
        annotations = typing.get_type_hints(operator)
        tensors: dict[str, str | tuple[str, ...]] = {}
        attributes: dict[str, Any] = {}
        for parameter, references in self._references(message, name).items():
            annotation = annotations[parameter]
            if annotation == tuple[torch.Tensor, ...]:
                tensors[parameter] = references
            elif annotation in (torch.Tensor, torch.Tensor | None):
                tensors[parameter] = references[0]
            else:
                attributes[parameter] = self._attribute(message, name, parameter, references[0], annotation)
        results = tuple((output.name, _value_type(output.type)) for output in message.outputs)
        step = Step(message.type, name, operator, tensors, attributes, results)
        strings = [reference for reference in step.value_names() if isinstance(self._constants.get(reference), str)]
        if strings:
            raise BundleError(f"operation {message.type} ({name}) takes a string for a tensor", got=strings[0])
        if all(reference in self._constants for reference in step.value_names()):
            step.run(self._constants)  # type: ignore[arg-type]  # the strings among them were ruled out above
        else:
            self._steps.append(step)
            self._known.update(result for result, _ in results)

    def _references(self, message: Any, name: str) -> dict[str, tuple[str, ...]]:
        """Names of the values that each parameter takes; a value written in place gets a name of its own."""
        references: dict[str, tuple[str, ...]] = {}
        for parameter, argument in message.inputs.items():
            names = []
            for index, binding in enumerate(argument.arguments):
                if binding.WhichOneof("binding") == "value":
                    reference = f"{name}.{parameter}.{index}"
                    self._constants[reference] = self._reader.read(binding.value, reference)
                else:
                    reference = binding.name
                if reference not in self._constants and reference not in self._known:
                    raise BundleError(
                        f"operation {message.type} ({name}) reads a value that nothing made", got=reference
                    )
                names.append(reference)
            if not names:
                raise BundleError(f"operation {message.type} ({name}) has an empty input", got=parameter)
            references[parameter] = tuple(names)
        for parameter, value in message.attributes.items():
            if parameter != "name":
                reference = f"{name}.{parameter}"
                self._constants[reference] = self._reader.read(value, reference)
                references[parameter] = (reference,)
        return references

    def _attribute(self, message: Any, name: str, parameter: str, reference: str, annotation: Any) -> Any:
        if reference not in self._constants:
            raise UnsupportedError(
                f"operation {message.type} ({name}) computes its {parameter} while running", hint=_ELSEWHERE
            )
        value = as_attribute(self._constants[reference])
        modes = typing.get_args(annotation) if typing.get_origin(annotation) is Literal else ()
        if modes and value not in modes:
            raise UnsupportedError(
                f"operation {message.type} ({name}) has a {parameter} that is not known to the evaluator",
                got=value,
                allowed=", ".join(map(str, modes)),
            )
        return value

    def _used_constants(self) -> dict[str, torch.Tensor]:
        used = {name for step in self._steps for name in step.value_names()}
        return {
            name: value for name, value in self._constants.items() if name in used and isinstance(value, torch.Tensor)
        }


def _program_inputs(model: Any, function: Any) -> Iterator[ProgramInput]:
    described = {feature.name: feature.type for feature in model.description.input}
    for given in function.inputs:
        kind = given.type.WhichOneof("type")
        if kind != "tensorType":
            raise UnsupportedError(f"input {given.name} of the program is not a tensor or an image", got=kind)
        image = described[given.name].WhichOneof("Type") == "imageType" if given.name in described else False
        color = (
            described[given.name].imageType.ColorSpace.Name(described[given.name].imageType.colorSpace)
            if image
            else None
        )
        yield ProgramInput(given.name, "image" if image else "tensor", _value_type(given.type), color)


def _value_type(message: Any) -> ValueType:
    kind = message.WhichOneof("type")
    if kind != "tensorType":
        raise UnsupportedError("the program has a value that is not a tensor", got=kind, hint=_ELSEWHERE)
    dimensions = message.tensorType.dimensions
    shape = tuple(d.constant.size if d.WhichOneof("dimension") == "constant" else None for d in dimensions)
    return ValueType(dtype_of_proto(message.tensorType.dataType), shape)


def _with_releases(steps: list[Step], kept: set[str]) -> tuple[Step, ...]:
    """Each step told which values it is the last to read (or nobody reads), so that memory holds the living ones."""
    made = {name for step in steps for name, _ in step.results}
    seen = set(kept)
    finished = []
    for step in reversed(steps):
        touched = {*step.value_names(), *(name for name, _ in step.results)}
        finished.append(dataclasses.replace(step, released=tuple(sorted(touched & made - seen))))
        seen |= touched
    return tuple(reversed(finished))
