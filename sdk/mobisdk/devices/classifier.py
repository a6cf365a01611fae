"""What the benchmark runs: the same protocol as in the Kotlin and the Swift app."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Classifier(Protocol):
    """One artefact on one runtime.

    `prepare` turns preprocessed bytes into what the artefact takes and counts as preprocessing; `forward` is what
    `inference_ns` times.
    """

    def load(self) -> None:
        """Load until the method is ready to run, not only the file."""

    def prepare(self, image: NDArray[np.uint8]) -> Any:
        """Turn one (H,W,3) uint8 RGB image into the runtime's input."""

    def forward(self, prepared: Any) -> NDArray[np.float32]:
        """Run the network on one prepared image; logits, shape (num_classes,)."""

    def close(self) -> None:
        """Free what `load` took; safe to call twice."""
