"""The images that a lossy recipe is calibrated and judged with, from what a user types after --calibration."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mobisdk.cli.labelled_images import check_classes, choose_images

if TYPE_CHECKING:
    from mobiconvert import Calibration
    from mobisdk.specs import InputSpec

_MOST_TRAINED = 8192
"""Quantization-aware training sees each three times: minutes for a small network, and memory for any resolution."""
_MOST_HELD_OUT = 500
"""Each class keeping its share: enough to see a collapse, and at most half a minute of the slowest artefact."""
_NO_CACHE = Path(os.devnull)
"""So few images fit in memory at every resolution: no cache is made of them."""


def load_calibration(source: str, spec: "InputSpec", labels: Sequence[str] | None, images: int | None) -> "Calibration":
    """Decode `images` training images, each class keeping its share, and at most 500 held-out ones.

    None is as many as quantization-aware training takes.

    Raises:
        ConfigError: `images` is below 1.
        DataError: there is no such data, an image is broken, there are too few, or the classes are not the labels.
    """
    from mobiconvert import Calibration
    from mobisdk.data import decode_images, open_dataset

    dataset = open_dataset(source)
    if labels is not None:
        check_classes(dataset, labels, "the checkpoint")
    count = _MOST_TRAINED if images is None else images
    train = decode_images(choose_images(dataset.train, count, "--calibration-images"), spec, cache=_NO_CACHE)
    test = decode_images(choose_images(dataset.test, _MOST_HELD_OUT, "the number"), spec, cache=_NO_CACHE)
    return Calibration(dataset.source, train.pixels, train.labels, test.pixels, test.labels)
