"""Run a loaded program, operation by operation, with torch on the processor.

How it rounds: an operation on float16 values takes them exactly, computes and accumulates in float32, and rounds its
result to float16 once. Core ML's own units differ among themselves (some accumulate in float16), so a phone agrees
with this within float16's resolution, not to the last bit.
"""

from collections.abc import Collection, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from mobiconvert.mil_evaluator.program import MilProgram, ProgramInput
from mobisdk.errors import DataError


def evaluate(
    program: MilProgram, inputs: Mapping[str, NDArray[np.generic]], also: Collection[str] = ()
) -> dict[str, NDArray[np.generic]]:
    """The program's outputs for its inputs, by name and in the types that it declares; and the values named in `also`.

    Images are NCHW with values 0 to 255 in the program's channel order; the scale is an operation of the program.

    Raises:
        DataError: an input is missing, unknown, or of another shape.
        BundleError: an operation cannot be computed as the program states it.
    """
    names = {given.name for given in program.inputs}
    if names != set(inputs):
        raise DataError("the program takes other inputs", got=sorted(inputs), allowed=", ".join(sorted(names)))
    values = dict(program.constants)
    for given in program.inputs:
        values[given.name] = _input_tensor(given, inputs[given.name])
    kept = {}
    with torch.inference_mode():
        for step in program.steps:
            step.run(values)
            kept.update(
                {name: declared.dtype.to_numpy(values[name]) for name, declared in step.results if name in also}
            )
            for name in step.released:
                del values[name]
    return {**kept, **{name: declared.dtype.to_numpy(values[name]) for name, declared in program.outputs}}


def _input_tensor(given: ProgramInput, array: NDArray[np.generic]) -> torch.Tensor:
    if not given.type.admits(array.shape):
        raise DataError(f"input {given.name} has another shape", got=array.shape, allowed=f"{given.type.shape}")
    return given.type.dtype.to_torch(array)
