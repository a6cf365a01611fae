"""Which part of an image the network sees, and at what size."""

import statistics

from mobisdk.data.dataset import Dataset
from mobisdk.errors import DataError
from mobisdk.preprocess import decode_image
from mobisdk.specs import InputSpec

_LOOKED_AT = 16


def choose_input(dataset: Dataset, resolution: int) -> InputSpec:
    """The usual centre view for photographs, the whole image where images have no pixels to spare.

    Digits of 8×8 or CIFAR's 32×32 at a resolution of 32 would only lose their rim. A few images, evenly spread, decide.
    """
    step = max(1, len(dataset.train) // _LOOKED_AT)
    sides = []
    for image in dataset.train[::step]:
        try:
            sides.append(min(decode_image(image.read(), image.name).shape[:2]))
        except DataError:  # decoding them all will say so, or skip it if it may
            continue
    if sides and statistics.median(sides) <= resolution:
        return InputSpec(resize=resolution, crop=resolution)
    return InputSpec.for_resolution(resolution)
