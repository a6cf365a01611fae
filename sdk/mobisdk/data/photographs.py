"""Real photographs that need no download: the two that scikit-learn's package carries, and crops of them."""

import hashlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobisdk.errors import DataError
from mobisdk.preprocess import load_image, preprocess
from mobisdk.specs import InputSpec

_NAMES = ("china", "flower")
_SMALLEST_VIEW = 0.35
"""Of the photograph's shorter side: smaller views show no object any more."""
# Steps of the three-dimensional Kronecker sequence that spreads its points most evenly. Source: M. Roberts, "The
# unreasonable effectiveness of quasirandom sequences" (2018): powers of 1/g, where g is the root of g⁴ = g + 1.
_STEPS = 1.2207440846057596 ** -np.arange(1.0, 4.0)


@dataclass(frozen=True)
class Photograph:
    """A decoded photograph: `pixels` is (H,W,3) uint8 RGB."""

    name: str
    pixels: NDArray[np.uint8]


def load_photographs() -> tuple[Photograph, ...]:
    """Decode `china` and `flower`, 640×427 each.

    Raises:
        DataError: scikit-learn is not installed, or its photographs are not where it keeps them.
    """
    package = importlib.util.find_spec("sklearn")  # found, not imported: that takes a second
    if package is None or package.origin is None:
        raise DataError("scikit-learn's photographs are missing", hint="Run `pip install scikit-learn`")
    folder = Path(package.origin).parent / "datasets" / "images"
    return tuple(Photograph(name, load_image(folder / f"{name}.jpg")) for name in _NAMES)


def photograph_crops(count: int, spec: InputSpec) -> NDArray[np.uint8]:
    """Preprocess `count` different square views of the photographs: (count,crop,crop,3) uint8 RGB, the same every time.

    Position and scale are spread evenly over each photograph, every other pair of views is mirrored, and the first
    views stay the same when more are asked for.

    Raises:
        DataError: the photographs are missing.
    """
    photographs = load_photographs()
    crops = np.empty((count, spec.crop, spec.crop, 3), np.uint8)
    for index in range(count):
        scale, x, y = (0.5 + (index + 1) * _STEPS) % 1
        pixels = photographs[index % 2].pixels[:, :: -1 if index % 4 >= 2 else 1]
        height, width, _ = pixels.shape
        side = round(min(height, width) * (_SMALLEST_VIEW + (1 - _SMALLEST_VIEW) * scale))
        top, left = round(y * (height - side)), round(x * (width - side))
        crops[index] = preprocess(pixels[top : top + side, left : left + side], spec)
    return crops


def image_set_sha256(images: Iterable[NDArray[np.uint8]]) -> str:
    """Name a sequence of (H,W,3) images by its content: every shape, every byte, and the order."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(f"{image.shape}\n".encode())
        digest.update(image.tobytes())
    return digest.hexdigest()
