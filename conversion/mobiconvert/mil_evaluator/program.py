"""A loaded ML program: steps that torch can run, in order."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch

from mobiconvert.mil_evaluator.dtypes import Dtype
from mobiconvert.mil_evaluator.operators import Operator
from mobisdk.errors import BundleError

InputKind = Literal["image", "tensor"]


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
    usual_shape: tuple[int, ...]
    """One that the program takes, where its type leaves a dimension open; empty where the package names none."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation, bound: which values it takes, what it is told, what it makes, what nobody needs after it."""

    type: str
    """MIL's name of the operation, such as `conv`."""
    title: str
    """`operation conv (stem)`, as an error calls it."""
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
        except (RuntimeError, ValueError, TypeError, LookupError, ArithmeticError) as exc:
            raise BundleError(f"{self.title} cannot be computed", got=str(exc)) from exc
        outputs = computed if isinstance(computed, tuple) else (computed,)
        if len(outputs) != len(self.results):
            raise BundleError(
                f"{self.title} has another number of results",
                got=len(self.results),
                allowed=f"{len(outputs)}",
            )
        for (name, declared), output in zip(self.results, outputs, strict=True):
            if not declared.admits(tuple(output.shape)):
                raise BundleError(
                    f"{self.title} made another shape than the program declares",
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
