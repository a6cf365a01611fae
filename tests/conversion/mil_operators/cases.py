"""How an operation of the evaluator is checked: a program built with coremltools' own builder, saved and read back.

The references compute in float64 and share no code with the evaluator; a float16 result may differ from theirs by one
float16 step. Where coremltools itself can compute an operation of constants, its values are checked too.
"""

import dataclasses
import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobiconvert.mil_evaluator import evaluate, load_mil_program
from mobiconvert.quiet import quiet_imports

with quiet_imports():
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)
    from coremltools.converters.mil.mil import Function, types

gc.freeze()  # `ct.convert` collects garbage, over all of coremltools' own objects: 0.6 s a program otherwise

Array = NDArray[Any]
Build = Callable[..., Any]

_MIL_TYPES = {"float32": types.fp32, "float16": types.fp16, "int32": types.int32, "bool": types.bool}
OPSETS = {"iOS15": ct.target.iOS15, "iOS16": ct.target.iOS16, "iOS17": ct.target.iOS17, "iOS18": ct.target.iOS18}


def run_program(build: Build, inputs: Sequence[Array], folder: Path, opset: str = "iOS16") -> list[Array]:
    """What the evaluator makes of a saved program whose inputs are a, b …"""
    names = "abcdef"[: len(inputs)]
    specs = [mb.TensorSpec(shape=array.shape, dtype=_MIL_TYPES[str(array.dtype)]) for array in inputs]
    arguments = ", ".join(names)
    scope = {"build": build}
    exec(f"def program({arguments}): return build({arguments})", scope)  # noqa: S102  (mb reads the parameters' names)
    program = mb.program(input_specs=specs, opset_version=OPSETS[opset])(scope["program"])
    with quiet_imports():
        ct.convert(
            program,
            convert_to="mlprogram",
            pass_pipeline=ct.PassPipeline.EMPTY,
            minimum_deployment_target=OPSETS[opset],
            skip_model_load=True,
        ).save(str(folder / "case.mlpackage"))
    loaded = load_mil_program(folder / "case.mlpackage")
    outputs = evaluate(loaded, dict(zip(names, inputs, strict=True)))
    return [outputs[name] for name, _ in loaded.outputs]


def infer_values(build: Build, inputs: Sequence[Array], opset: str) -> list[Array] | None:
    """What coremltools itself computes of the same operations on constants; None where it does not."""
    with Function({}, opset_version=OPSETS[opset]):
        made = build(*(mb.const(val=array) for array in inputs))
    variables = made if isinstance(made, tuple | list) else [made]
    values = [variable.val for variable in variables]
    return None if any(value is None for value in values) else [np.asarray(value) for value in values]


@dataclasses.dataclass(frozen=True)
class Case:
    """`build` makes MIL out of MIL variables, `expected` the same out of float64 arrays."""

    label: str
    build: Build
    expected: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...] = ((2, 3, 4),)
    low: float = -3.0
    high: float = 3.0
    opset: str = "iOS16"
    coremltools_errs: str = ""
    """Why its own value inference is no reference for this case."""


def _inputs(case: Case, precision: str) -> list[Array]:
    random = np.random.default_rng(7)
    return [random.uniform(case.low, case.high, shape).astype(precision) for shape in case.shapes]


def check(case: Case, precision: str, folder: Path) -> None:
    """The evaluator against the case's reference, and in float32 against coremltools too, where it can compute."""
    inputs = _inputs(case, precision)
    actual = run_program(case.build, inputs, folder, case.opset)
    expected = case.expected(*(array.astype(np.float64) for array in inputs))
    expected = list(expected) if isinstance(expected, tuple | list) else [expected]
    _compare(actual, expected, precision)
    if precision == "float16" or case.coremltools_errs:
        return
    inferred = infer_values(case.build, inputs, case.opset)
    if inferred is not None:
        _compare(actual, [value.astype(np.float64) if value.dtype == np.float32 else value for value in inferred])


def _compare(actual: Sequence[Array], expected: Sequence[Array], precision: str = "float32") -> None:
    assert len(actual) == len(expected)
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours.shape == theirs.shape
        if theirs.dtype == np.float64:
            assert str(ours.dtype) == precision
            scale = max(1.0, float(np.abs(theirs).max()))
            if precision == "float32":
                np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=2e-6 * scale)
            else:
                rounded = theirs.astype(np.float16)
                step = np.spacing(np.abs(rounded)).astype(np.float64)
                assert np.all(np.abs(ours.astype(np.float64) - rounded) <= np.maximum(step, 2e-6 * scale))
        else:
            np.testing.assert_array_equal(ours, theirs)


def constant(array: Any, like: Any) -> Any:
    """A constant in the precision of the MIL variable `like`."""
    return np.asarray(array, dtype=types.nptype_from_builtin(like.dtype))


def scalar(value: float, like: Any) -> Any:
    """A number in the precision of the MIL variable `like`."""
    return types.nptype_from_builtin(like.dtype)(value)


def sixteenths(*shape: int) -> Array:
    """Weights that float16 has exactly."""
    return np.random.default_rng(11).integers(-16, 17, shape) / 16
