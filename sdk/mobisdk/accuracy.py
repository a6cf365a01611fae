"""How many images a network names right, how sure that is, and what it takes for what."""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from mobisdk.errors import DataError

_Z = 1.959963984540054
"""Of the standard normal distribution: 95 % lie within it."""


@dataclasses.dataclass(frozen=True)
class ConfusionCell:
    """One cell of a confusion matrix: `count` of the `images` of class `label` were named `predicted`."""

    label: str
    predicted: str
    count: int
    images: int


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """What a network said of each of N labelled images; every figure follows from that.

    Raises:
        DataError: there is no image, or a label or a prediction is none of the classes.
    """

    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    """(N,): what each image is, as an index into `classes`."""
    predictions: NDArray[np.int64]
    """(N,): what the network named it."""
    image_set_sha256: str
    """Names the images and their labels: figures of one set can be compared."""
    skipped: tuple[str, ...] = ()
    """Names of the images that were broken, and are in no figure."""

    def __post_init__(self) -> None:
        """Check that there is something to count, and that it can be counted."""
        if not len(self.labels):
            raise DataError("no image is left to evaluate", got=f"{len(self.skipped)} broken images")
        if self.labels.shape != self.predictions.shape:
            raise DataError("every image needs one prediction", got=len(self.predictions), allowed=str(self.images))
        for name, values in (("label", self.labels), ("prediction", self.predictions)):
            if values.min() < 0 or values.max() >= len(self.classes):
                found = [int(values.min()), int(values.max())]
                raise DataError(f"a {name} is no class's index", got=found, allowed=f"0 to {len(self.classes) - 1}")

    @property
    def images(self) -> int:
        """How many were evaluated."""
        return len(self.labels)

    @property
    def correct(self) -> int:
        """How many were named right."""
        return int((self.labels == self.predictions).sum())

    @property
    def accuracy(self) -> float:
        """Share that was named right."""
        return self.correct / self.images

    @property
    def low(self) -> float:
        """Where the accuracy's 95 % interval begins."""
        return wilson_interval(self.correct, self.images)[0]

    @property
    def high(self) -> float:
        """Where it ends."""
        return wilson_interval(self.correct, self.images)[1]

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Images of each class."""
        return tuple(np.bincount(self.labels, minlength=len(self.classes)).tolist())

    @property
    def recalls(self) -> tuple[float | None, ...]:
        """Share of each class's images that was named right; None for a class without an image."""
        right = np.bincount(self.labels[self.labels == self.predictions], minlength=len(self.classes))
        return tuple(int(hit) / count if count else None for hit, count in zip(right, self.class_counts, strict=True))

    @property
    def confusion(self) -> NDArray[np.int64]:
        """(classes, classes) counts: a row is what images are, a column is what they were named."""
        count = len(self.classes)
        return np.bincount(self._cell_indices, minlength=count**2).reshape(count, count)

    @property
    def cells(self) -> tuple[ConfusionCell, ...]:
        """The confusion matrix's cells that are not zero, row by row: few, however many classes there are."""
        return self._count_cells(self._cell_indices)

    def most_confused(self, count: int) -> tuple[ConfusionCell, ...]:
        """Return the `count` commonest mistakes, the commonest first; of equal ones that of the earlier class."""
        mistakes = self._count_cells(self._cell_indices[self.labels != self.predictions])
        return tuple(sorted(mistakes, key=lambda cell: -cell.count)[:count])

    @property
    def _cell_indices(self) -> NDArray[np.int64]:
        """(N,): each image's cell, numbered row by row."""
        return self.labels * len(self.classes) + self.predictions

    def _count_cells(self, indices: NDArray[np.int64]) -> tuple[ConfusionCell, ...]:
        images = self.class_counts
        cells = zip(*(values.tolist() for values in np.unique(indices, return_counts=True)), strict=True)
        return tuple(
            ConfusionCell(self.classes[label], self.classes[predicted], count, images[label])
            for (label, predicted), count in ((divmod(index, len(images)), count) for index, count in cells)
        )


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share that was counted: `correct` of `total` ≥ 1; it lies in [0, 1].

    Source: E. B. Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    share, spread = correct / total, _Z**2 / total
    centre = share + spread / 2
    reach = _Z * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    # Rounding would leave the ends just beside 0 and 1.
    low = 0.0 if correct == 0 else (centre - reach) / (1 + spread)
    high = 1.0 if correct == total else (centre + reach) / (1 + spread)
    return low, high
