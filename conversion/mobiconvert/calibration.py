"""Images that a lossy recipe needs: to measure ranges with, to learn from, and to be judged on."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobisdk.data.photographs import image_set_sha256
from mobisdk.errors import DataError

FEWEST_IMAGES = 16
"""Ranges of activations from fewer are those of single images."""


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
    """Images of the network's own kind and size, as (N,crop,crop,3) uint8 RGB with labels (N,), in two sets.

    Raises:
        DataError: too few images, images of another kind, all of them equal, or labels that do not fit.
    """

    source: str
    """What a person calls the data."""
    images: NDArray[np.uint8]
    """From the training images: what ranges are measured on, and what quantization-aware training learns from."""
    labels: NDArray[np.int64]
    held_out: NDArray[np.uint8]
    """Never trained on: what top-1 is compared on."""
    held_out_labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check that the images can calibrate, and that the others can judge."""
        for images, labels in ((self.images, self.labels), (self.held_out, self.held_out_labels)):
            if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
                raise DataError(
                    "calibration images must be (N,H,W,3) uint8", got=f"{images.shape} {images.dtype}", hint=_PREPROCESS
                )
            if labels.shape != images.shape[:1]:
                raise DataError("every calibration image needs one label", got=labels.shape, allowed=str(len(images)))
        if len(self.images) < FEWEST_IMAGES:
            raise DataError(
                f"{self.source} has too few images to calibrate with",
                got=len(self.images),
                allowed=f"{FEWEST_IMAGES} or more",
            )
        if not len(self.held_out):
            raise DataError(f"{self.source} has no held-out image to judge the result on")
        if (self.images == self.images[0]).all():
            raise DataError(
                f"all {len(self.images)} calibration images from {self.source} are equal",
                hint="Ranges need images such as the app will see",
            )

    def check_size(self, crop: int) -> None:
        """Refuse images of another size than the network's.

        Raises:
            DataError: they are larger or smaller.
        """
        for images in (self.images, self.held_out):
            if images.shape[1:3] != (crop, crop):
                raise DataError(
                    "calibration images have another size than the network's input",
                    got=f"{images.shape[2]}×{images.shape[1]}",
                    allowed=f"{crop}×{crop}",
                    hint=_PREPROCESS,
                )


_PREPROCESS = "Preprocess them with mobisdk.preprocess.preprocess"


def describe_calibration(source: str, images: NDArray[np.uint8]) -> dict[str, Any]:
    """What the manifest says of the images that ranges were measured on."""
    return {"source": source, "images": len(images), "image_set_sha256": image_set_sha256(images)}
