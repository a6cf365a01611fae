"""Runs an .mlpackage with Core ML itself, which only a Mac has."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobiconvert.quiet import quiet_imports
from mobisdk.errors import BundleError

with quiet_imports():
    import coremltools as ct


class CoreMLClassifier:
    """A `Classifier` over a package whose input is an image, or (1,3,H,W) float32 RGB in [0,1]."""

    def __init__(self, package: Path, input_name: str, input_kind: str, output_name: str) -> None:
        self._package, self._input_name, self._kind, self._output_name = package, input_name, input_kind, output_name
        self._model: Any = None

    def load(self) -> None:
        """Compile and load the package.

        Raises:
            BundleError: Core ML refuses it.
        """
        try:
            self._model = ct.models.MLModel(str(self._package))
        except (RuntimeError, ValueError) as exc:
            raise BundleError(f"Core ML cannot load {self._package.name}: {exc}") from exc

    def prepare(self, image: NDArray[np.uint8]) -> Any:
        """Turn (H,W,3) uint8 into what the package takes."""
        if self._kind == "image":
            return Image.fromarray(image)
        return np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32) / 255

    def forward(self, prepared: Any) -> NDArray[np.float32]:
        """Predict; logits (classes,).

        Raises:
            BundleError: Core ML fails.
        """
        try:
            outputs = self._model.predict({self._input_name: prepared})
        except (RuntimeError, ValueError) as exc:
            raise BundleError(f"Core ML cannot run {self._package.name}: {exc}") from exc
        logits: NDArray[np.float32] = np.asarray(outputs[self._output_name], dtype=np.float32)[0]
        return logits

    def close(self) -> None:
        """Let go of the model."""
        self._model = None
