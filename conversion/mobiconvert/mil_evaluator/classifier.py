"""A Core ML package as a `Classifier`, so that this computer runs what an iPhone would."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobiconvert.mil_evaluator.evaluate import evaluate
from mobiconvert.mil_evaluator.load import load_mil_program
from mobiconvert.mil_evaluator.program import InputKind, MilProgram
from mobisdk.errors import BundleError, ConfigError, UnsupportedError


class MilClassifier:
    """Evaluates the package's program with torch; follows `mobisdk.devices.classifier.Classifier`."""

    def __init__(self, package: Path, input_name: str, input_kind: InputKind, output_name: str) -> None:
        self._package = package
        self._input_name = input_name
        self._input_kind = input_kind
        self._output_name = output_name
        self._program: MilProgram | None = None

    def load(self) -> None:
        """Read the package and compute what depends on weights alone.

        Raises:
            BundleError: the package is damaged, or its input and output are not those it is said to have.
            UnsupportedError: the evaluator does not know an operation of it.
        """
        program = load_mil_program(self._package)
        found = {given.name: given for given in program.inputs}
        if set(found) != {self._input_name}:
            raise BundleError("the program takes other inputs", got=sorted(found), allowed=self._input_name)
        given = found[self._input_name]
        if given.kind != self._input_kind:
            raise BundleError(f"input {given.name} is of another kind", got=given.kind, allowed=self._input_kind)
        if given.kind == "image" and given.color != "RGB":
            raise UnsupportedError(f"image input {given.name} is not RGB", got=given.color, allowed="RGB")
        outputs = [name for name, _ in program.outputs]
        if self._output_name not in outputs:
            raise BundleError("the program makes other outputs", got=outputs, allowed=self._output_name)
        self._program = program

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H,W,3) uint8 RGB to (1,3,H,W) float32: 0 to 255 for an image input, [0,1] for a tensor."""
        planes = np.ascontiguousarray(image.transpose(2, 0, 1)[np.newaxis], dtype=np.float32)
        return planes if self._input_kind == "image" else planes / np.float32(255)

    def forward(self, prepared: Any) -> NDArray[np.float32]:
        """Logits of one prepared image, shape (num_classes,)."""
        if self._program is None:
            raise ConfigError("the classifier is not loaded", hint="Call load() first")
        outputs = evaluate(self._program, {self._input_name: prepared})
        return outputs[self._output_name].astype(np.float32).reshape(-1)

    def close(self) -> None:
        """Free the weights."""
        self._program = None
