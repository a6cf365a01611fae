"""Images without labels, for a teacher to say something of."""

import dataclasses
import hashlib
from pathlib import Path

from mobisdk.data.dataset import Dataset, ImageRef
from mobisdk.data.folder import SUFFIXES
from mobisdk.errors import DataError

NO_LABEL = -1
"""In the place of a class's index."""


@dataclasses.dataclass(frozen=True)
class UnlabelledImages:
    """Every image below a folder, none twice."""

    source: str
    images: tuple[ImageRef, ...]
    sha256: str
    """Of their contents, in order."""
    left_out: int
    """Copies of each other or of the data set's images: what is tested on must not be learnt from."""


def open_unlabelled(folder: Path, dataset: Dataset) -> UnlabelledImages:
    """Find the JPEG, PNG and WebP files below `folder`; they are hashed, not decoded.

    Raises:
        DataError: there is no such folder, it cannot be read, or it has no image that the data set lacks.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder of unlabelled images", got=str(folder))
    seen = {image.sha256 for image in (*dataset.train, *dataset.test)}
    images, found = [], 0
    try:
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue
            found += 1
            image = ImageRef(str(path), NO_LABEL, path.read_bytes)
            if image.sha256 not in seen:
                seen.add(image.sha256)
                images.append(image)
    except OSError as error:
        raise DataError(f"the images cannot be read ({error.strerror or error})", got=str(folder)) from error
    if not images:
        raise DataError(
            "the folder has no unlabelled image that the data lacks",
            got=f"{folder}: {found} images, all of them known",
            allowed="JPEG, PNG or WebP files",
        )
    digest = hashlib.sha256("".join(f"{image.sha256}\n" for image in images).encode())
    return UnlabelledImages(str(folder), tuple(images), digest.hexdigest(), found - len(images))
