"""Runs a .pte whose one delegate is Core ML's, with the MIL evaluator: no runtime but Apple's runs the whole of it."""

import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobiconvert.executorch.coreml_delegate import unpack_delegate
from mobiconvert.mil_evaluator import MilClassifier
from mobiconvert.quiet import quiet_imports
from mobisdk.errors import BundleError, UnsupportedError

with quiet_imports():
    from executorch.exir._serialize._program import deserialize_pte_binary

_DELEGATE = "CoreMLBackend"


class CoreMLDelegateClassifier:
    """A `Classifier` over a .pte that is one call of Core ML's delegate; (1,3,H,W) float32 RGB in [0,1]."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._program: MilClassifier | None = None

    def load(self) -> None:
        """Take the package out of the delegate, and read it.

        Raises:
            BundleError: the file is cut or damaged.
            UnsupportedError: the program is more than that one call, so that its parts cannot be run here.
        """
        try:
            with quiet_imports():
                program = deserialize_pte_binary(self._path.read_bytes()).program
            (plan,) = program.execution_plan
            delegates = [delegate.id for delegate in plan.delegates]
            calls = [type(step.instr_args).__name__ for chain in plan.chains for step in chain.instructions]
            if delegates != [_DELEGATE] or calls != ["DelegateCall"]:
                raise UnsupportedError(
                    "only a program that is one call of Core ML's delegate can be run here", got=delegates + calls
                )
            blob = program.backend_delegate_data[plan.delegates[0].processed.index].data
            with tempfile.TemporaryDirectory() as name:
                package, image, logits = unpack_delegate(blob, Path(name))
                self._program = MilClassifier(package, image, "tensor", logits)
                self._program.load()
        except (ValueError, KeyError, TypeError, AssertionError, IndexError, OSError, struct.error) as exc:
            raise BundleError(
                f"ExecuTorch's program cannot be read: {exc}", got=self._path.name, hint="Export the bundle again"
            ) from exc

    def prepare(self, image: NDArray[np.uint8]) -> Any:
        """Turn (H,W,3) uint8 into (1,3,H,W) float32 in [0,1]."""
        return self._loaded().prepare(image)

    def forward(self, prepared: Any) -> NDArray[np.float32]:
        """Evaluate the program; logits (classes,)."""
        return self._loaded().forward(prepared)

    def close(self) -> None:
        """Free the weights."""
        self._program = None

    def _loaded(self) -> MilClassifier:
        if self._program is None:
            raise BundleError("the classifier is not loaded", hint="Call load() first")
        return self._program
