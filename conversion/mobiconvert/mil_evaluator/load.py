"""Reads a saved `.mlpackage` into a program.

Loading looks at every operation before anything is computed: one that is not known is refused by name. Then
constants are read once, and whatever depends on constants alone (compressed weights above all) is computed once.
"""

import dataclasses
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch

from mobiconvert.mil_evaluator.constants import Constant, ConstantReader, as_attribute
from mobiconvert.mil_evaluator.dtypes import dtype_of_proto
from mobiconvert.mil_evaluator.operators import OPERATORS
from mobiconvert.mil_evaluator.package import CoreMLPackage, open_package
from mobiconvert.mil_evaluator.program import MilProgram, ProgramInput, Step, ValueType
from mobisdk.errors import BundleError, UnsupportedError

_ELSEWHERE = "Export the network with other layers, or run the package with Core ML on a Mac"


def load_mil_program(package: Path) -> MilProgram:
    """Read a saved `.mlpackage`, on any system.

    Raises:
        BundleError: the package is damaged, incomplete, or leads outside itself.
        UnsupportedError: it is not an ML program, or has an operation that is not known here.
    """
    opened = open_package(package)
    function, block, description = main_function(opened)
    for message in block.operations:
        check_known(message)
    return _Binder(ConstantReader(opened)).bind(block, tuple(_program_inputs(function, description)))


def main_function(package: CoreMLPackage) -> tuple[Any, Any, Any]:
    """The function that Core ML runs by default, its block of operations, and what describes its features.

    Raises:
        BundleError: the program lacks them.
    """
    model = package.specification
    name = model.description.defaultFunctionName or "main"
    if name not in model.mlProgram.functions:
        raise BundleError("the program lacks its main function", got=sorted(model.mlProgram.functions), allowed=name)
    function = model.mlProgram.functions[name]
    if function.opset not in function.block_specializations:
        raise BundleError("the program has no block for its own opset", got=function.opset)
    # A package of several functions describes each of them apart.
    description = next((each for each in model.description.functions if each.name == name), model.description)
    return function, function.block_specializations[function.opset], description


def _where(message: Any) -> str:
    """The operation as an error calls it: its type, and its name or else its first result's."""
    name = str(message.outputs[0].name) if message.outputs else "without a name"
    if "name" in message.attributes:
        name = "".join(message.attributes["name"].immediateValue.tensor.strings.values) or name
    return f"operation {message.type} ({name})"


def check_known(message: Any) -> None:
    """Refuse an operation that the evaluator does not know, or not in this form.

    Raises:
        UnsupportedError: says which, by its type and name.
    """
    if message.type == "const":
        return
    operator = OPERATORS.get(message.type)
    if operator is None:
        raise UnsupportedError(f"{_where(message)} of the program is not known to the evaluator", hint=_ELSEWHERE)
    parameters = inspect.signature(operator).parameters
    given = {*message.inputs, *message.attributes} - {"name"}
    unknown = sorted(given - set(parameters))
    lacking = [name for name, each in parameters.items() if each.default is each.empty and name not in given]
    if unknown or lacking:
        raise UnsupportedError(
            f"{_where(message)} is of a form that the evaluator does not know",
            got=sorted(given),
            allowed=", ".join(parameters),
            hint=_ELSEWHERE,
        )


class _Binder:
    """Turns operations into steps, front to back."""

    def __init__(self, reader: ConstantReader) -> None:
        self._reader = reader
        self._constants: dict[str, Constant] = {}
        self._types: dict[str, ValueType] = {}
        """Of every value that is not a constant of the file."""
        self._steps: list[Step] = []

    def bind(self, block: Any, inputs: tuple[ProgramInput, ...]) -> MilProgram:
        self._types.update({given.name: given.type for given in inputs})
        for message in block.operations:
            if message.type == "const":
                self._add_constant(message)
            else:
                self._add_step(message)
        for name in block.outputs:
            if name not in self._types:
                raise BundleError("an output of the program is made by no operation", got=name)
        outputs = tuple((name, self._types[name]) for name in block.outputs)
        needed = {*block.outputs, *(name for step in self._steps for name in step.value_names())}
        constants = {name: value for name, value in self._constants.items() if name in needed}
        return MilProgram(
            inputs,
            outputs,
            typing.cast(dict[str, torch.Tensor], constants),  # a string is never needed: see _add_step
            _with_releases(self._steps, set(block.outputs)),
        )

    def _add_constant(self, message: Any) -> None:
        if "val" not in message.attributes or len(message.outputs) != 1:
            raise BundleError(f"{_where(message)} has no value")
        self._constants[message.outputs[0].name] = self._reader.read(message.attributes["val"], _where(message))

    def _add_step(self, message: Any) -> None:
        operator = OPERATORS[message.type]
        annotations = typing.get_type_hints(operator)
        tensors: dict[str, str | tuple[str, ...]] = {}
        attributes: dict[str, Any] = {}
        for parameter, names in self._references(message).items():
            if annotations[parameter] == tuple[torch.Tensor, ...]:
                tensors[parameter] = names
            elif len(names) != 1:
                raise BundleError(f"{_where(message)} takes one value as its {parameter}", got=len(names))
            elif annotations[parameter] in (torch.Tensor, torch.Tensor | None):
                tensors[parameter] = names[0]
            else:
                attributes[parameter] = self._attribute(message, parameter, names[0], annotations[parameter])
        results = tuple((output.name, _value_type(output.type)) for output in message.outputs)
        step = Step(message.type, _where(message), operator, tensors, attributes, results)
        for name in step.value_names():
            if isinstance(self._constants.get(name), str):
                raise BundleError(f"{_where(message)} takes a string for a tensor", got=name)
        self._types.update(results)
        if all(name in self._constants for name in step.value_names()):
            step.run(typing.cast(dict[str, torch.Tensor], self._constants))
        else:
            self._steps.append(step)

    def _references(self, message: Any) -> dict[str, tuple[str, ...]]:
        """Names of the values that each parameter takes; a value written in place gets a name of its own."""
        references: dict[str, tuple[str, ...]] = {}
        for parameter, argument in message.inputs.items():
            names: list[str] = []
            for binding in argument.arguments:
                if binding.WhichOneof("binding") == "value":
                    names.append(self._add_inline(message, f"{parameter}.{len(names)}", binding.value))
                elif binding.name in self._constants or binding.name in self._types:
                    names.append(binding.name)
                else:
                    raise BundleError(f"{_where(message)} reads a value that nothing made", got=binding.name)
            references[parameter] = tuple(names)
        for parameter, value in message.attributes.items():
            if parameter != "name":
                references[parameter] = (self._add_inline(message, parameter, value),)
        return references

    def _add_inline(self, message: Any, label: str, value: Any) -> str:
        name = f"{_where(message)} {label}"
        self._constants[name] = self._reader.read(value, name)
        return name

    def _attribute(self, message: Any, parameter: str, name: str, annotation: Any) -> Any:
        if name not in self._constants:
            raise UnsupportedError(f"{_where(message)} computes its {parameter} while running", hint=_ELSEWHERE)
        value = as_attribute(self._constants[name])
        modes = typing.get_args(annotation) if typing.get_origin(annotation) is Literal else ()
        if modes and value not in modes:
            raise UnsupportedError(
                f"{_where(message)} has a {parameter} that is not known to the evaluator",
                got=value,
                allowed=", ".join(map(str, modes)),
                hint=_ELSEWHERE,
            )
        return value


def _program_inputs(function: Any, description: Any) -> Iterator[ProgramInput]:
    features = {feature.name: feature.type for feature in description.input}
    for given in function.inputs:
        type_, feature = _value_type(given.type), features.get(given.name)
        if feature is not None and feature.WhichOneof("Type") == "imageType":
            image = feature.imageType
            color = image.ColorSpace.Name(image.colorSpace)
            shape = (1, 1 if color.startswith("GRAYSCALE") else 3, image.height, image.width)
            yield ProgramInput(given.name, "image", type_, color, shape)
        else:
            usual = tuple(feature.multiArrayType.shape) if feature is not None else ()
            yield ProgramInput(given.name, "tensor", type_, None, usual)


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
