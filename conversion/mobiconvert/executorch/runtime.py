"""Runs a .pte with ExecuTorch's own runtime on this computer.

The C++ extension is imported by itself: `executorch.runtime` imports the whole compiler, which takes four times as
long and has no part in running anything.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mobiconvert.quiet import quiet_imports
from mobisdk.errors import BundleError

with quiet_imports():
    from executorch.extension.pybindings import _portable_lib

_METHOD = "forward"


class ExecuTorchClassifier:
    """A `Classifier` over a .pte whose input is (1,3,H,W) float32 RGB in [0,1]."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._method: Any = None
        self._program: Any = None

    def load(self) -> None:
        """Load the program and its method.

        Raises:
            BundleError: the file is cut, damaged, or of another ExecuTorch version.
        """
        try:
            with quiet_imports():
                self._program = _portable_lib._load_program(
                    str(self._path), program_verification=_portable_lib.Verification.InternalConsistency
                )
                self._method = self._program.load_method(_METHOD)
        except RuntimeError as exc:
            raise BundleError(
                f"ExecuTorch cannot load {self._path.name}: {exc}", hint="Export the bundle again with this version"
            ) from exc

    def prepare(self, image: NDArray[np.uint8]) -> torch.Tensor:
        """Turn (H,W,3) uint8 into (1,3,H,W) float32 in [0,1]."""
        planes = np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)
        planes /= 255
        return torch.from_numpy(planes)

    def forward(self, prepared: torch.Tensor) -> NDArray[np.float32]:
        """Run the method; logits (classes,).

        Raises:
            BundleError: the runtime refuses the input or fails.
        """
        try:
            logits: NDArray[np.float32] = self._method([prepared])[0].numpy()[0].astype(np.float32)
        except RuntimeError as exc:
            raise BundleError(f"ExecuTorch cannot run {self._path.name}: {exc}") from exc
        return logits

    def close(self) -> None:
        """Free the program and its memory."""
        self._method = self._program = None


def set_threads(count: int) -> None:
    """Give the runtime's pool `count` threads; before anything is loaded, since it is one count a process."""
    with quiet_imports():
        _portable_lib._unsafe_reset_threadpool(count)


def threads() -> int:
    """Return the threads of the runtime's pool."""
    with quiet_imports():
        return int(_portable_lib._threadpool_get_thread_count())
