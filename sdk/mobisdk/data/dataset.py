"""What a data set is before a single image is decoded: names, labels, content hashes, two splits that share nothing."""

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mobisdk.errors import DataError

_HELD_OUT_NAMES = ("test", "val", "validation")
HELD_OUT_SHARE = 0.2
"""Of every class, where the source does not say which images to test on."""


@dataclass(frozen=True)
class ImageRef:
    """One image file that has not been decoded."""

    name: str
    """What a message calls it: a path, or `train.parquet row 17`."""
    label: int
    read: Callable[[], bytes]
    """Gives the encoded file: JPEG, PNG or WebP."""
    group: str = ""
    """Images of one group lie together, and are read together: a shard's, a row group's."""

    @cached_property
    def sha256(self) -> str:
        """Hash of the encoded file: two images are the same when it is."""
        return hashlib.sha256(self.read()).hexdigest()


@dataclass(frozen=True)
class Dataset:
    """Images with labels, in two splits that never share an image.

    Raises:
        DataError: fewer than two classes, or a class with no image in a split.
    """

    source: str
    classes: tuple[str, ...]
    """In the logits' order: a label is an index into it."""
    train: tuple[ImageRef, ...]
    test: tuple[ImageRef, ...]
    """Held out: never trained on."""
    duplicates: int
    """Images left out because the other split, or the same source, has the very same one."""
    ignored: int = 0
    """Files that are no JPEG, PNG or WebP by their name."""
    flip: bool = True
    """Whether a mirrored image is still one of its class."""
    epochs: int | None = None
    """How many epochs are enough, where that is known."""

    def __post_init__(self) -> None:
        """Check that there are classes to tell apart, and images to learn and to test each from."""
        if not self.train and not self.test:
            raise DataError(
                "there is no image in the data",
                got=self.source,
                allowed="class folders with JPEG, PNG or WebP files, or Parquet",
                hint="Put images in <folder>/<class>/",
            )
        if len(self.classes) < 2:
            raise DataError(
                f"{self.source} has one class", got=list(self.classes), allowed="at least two", hint="Add another class"
            )
        for split, images in (("train", self.train), ("test", self.test)):
            check_every_class(self.source, split, self.classes, (image.label for image in images))

    @cached_property
    def sha256(self) -> str:
        """Hash of every image, label and split: equal for equal data, wherever it lies."""
        digest = hashlib.sha256()
        for split in (self.train, self.test):
            digest.update(f"{len(split)} {self.classes}\n".encode())
            for image in split:
                digest.update(f"{image.sha256} {image.label}\n".encode())
        return digest.hexdigest()


def check_every_class(source: str, split: str, classes: Sequence[str], labels: Iterable[int]) -> None:
    """Refuse a split that lacks a class.

    Raises:
        DataError: a class has no image; each such class is named.
    """
    counts = Counter(labels)
    absent = [name for label, name in enumerate(classes) if not counts[label]]
    if absent:
        raise DataError(
            f"classes of {source} have no image to {split} with",
            got=absent,
            hint="Every class needs two images or more",
        )


def group_files(path: Path, suffix: str) -> list[list[Path]]:
    """The files to train with and those to test with, told by their names, or all files where they are not split."""
    if not path.is_dir():
        return [[path]]
    by_word: dict[str, list[Path]] = {}
    for file in sorted(path.glob(f"*{suffix}")):
        word = re.match(r"[a-z]*", file.stem)
        by_word.setdefault(word.group() if word else "", []).append(file)
    held_out = next((name for name in _HELD_OUT_NAMES if name in by_word), None)
    if held_out and "train" in by_word:
        return [by_word["train"], by_word[held_out]]
    return [list(itertools.chain(*by_word.values()))]


def hold_out(images: Sequence[ImageRef]) -> tuple[tuple[ImageRef, ...], tuple[ImageRef, ...], int]:
    """Split into train and test, and count the copies that were left out.

    Of every class the images with the smallest hashes are held out: the same ones on every computer and in every
    order, and nearly the same ones after images were added.
    """
    unique: dict[str, ImageRef] = {}
    for image in images:
        unique.setdefault(image.sha256, image)
    by_class: dict[int, list[str]] = {}
    for image in unique.values():
        by_class.setdefault(image.label, []).append(image.sha256)
    held_out: set[str] = set()
    for hashes in by_class.values():
        held_out.update(sorted(hashes)[: max(1, round(HELD_OUT_SHARE * len(hashes)))])
    train = tuple(image for image in unique.values() if image.sha256 not in held_out)
    test = tuple(image for image in unique.values() if image.sha256 in held_out)
    return train, test, len(images) - len(unique)


def drop_shared(
    train: Sequence[ImageRef], test: Sequence[ImageRef]
) -> tuple[tuple[ImageRef, ...], tuple[ImageRef, ...], int]:
    """Remove from given train images those that are also test images, and count them."""
    held_out = {image.sha256 for image in test}
    kept = tuple(image for image in train if image.sha256 not in held_out)
    return kept, tuple(test), len(train) - len(kept)
