"""Decode once: every image of a split as bytes in one array, in memory where it fits and on disk where it does not."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobisdk.data.dataset import ImageRef
from mobisdk.errors import DataError
from mobisdk.files import folder_atomically
from mobisdk.preprocess import decode_image, preprocess
from mobisdk.specs import InputSpec

MEMORY_BUDGET_BYTES = 2**30
"""Of decoded pixels a split. Past it they lie in a file that the system keeps in memory as far as there is room."""
_CHUNK = 256
"""Encoded images read at a time."""
_CACHE_FORMAT = 1
_PIXELS, _KEPT = "pixels.npy", "kept.npy"


@dataclass(frozen=True)
class DecodedImages:
    """A split, ready to be cut into batches."""

    pixels: NDArray[np.uint8]
    """(N,crop,crop,3) RGB, perhaps a memory map."""
    labels: NDArray[np.int64]
    """(N,)"""
    names: tuple[str, ...]
    broken: tuple[str, ...]
    """Names of the images that were left out."""


def decode_images(
    images: Sequence[ImageRef],
    spec: InputSpec,
    *,
    cache: Path,
    skip_broken: bool = False,
    on_decoded: Callable[[int], None] | None = None,
    memory_budget_bytes: int = MEMORY_BUDGET_BYTES,
) -> DecodedImages:
    """Decode and preprocess `images`; `on_decoded` hears how many are done.

    A split that does not fit in memory becomes a folder in `cache`, named after the images' hashes and `spec`, that
    the next call finds.

    Raises:
        DataError: an image is broken and not to be skipped, or the disk has no room for the cache.
    """
    shape = (len(images), spec.crop, spec.crop, 3)
    size_bytes = len(images) * spec.crop**2 * 3
    if size_bytes <= memory_budget_bytes:
        pixels = np.empty(shape, np.uint8)
        kept = _fill(pixels, images, spec, skip_broken, on_decoded)
    else:
        folder = cache / _cache_key(images, spec)
        if not folder.exists():
            _check_room(cache, size_bytes)
            cache.mkdir(parents=True, exist_ok=True)
            with folder_atomically(folder) as partial_folder:
                mapped = np.lib.format.open_memmap(partial_folder / _PIXELS, "w+", np.uint8, shape)
                np.save(partial_folder / _KEPT, _fill(mapped, images, spec, skip_broken, on_decoded))
                mapped.flush()
        pixels, kept = np.load(folder / _PIXELS, mmap_mode="c"), np.load(folder / _KEPT)
    broken = [images[index] for index in sorted(set(range(len(images))) - set(kept.tolist()))]
    if broken and not skip_broken:  # the cache was made by a call that skipped them
        _decode(broken[0], broken[0].read(), spec)
    return DecodedImages(
        pixels[: len(kept)],
        np.array([images[index].label for index in kept], np.int64),
        tuple(images[index].name for index in kept),
        tuple(image.name for image in broken),
    )


def _fill(
    pixels: NDArray[np.uint8],
    images: Sequence[ImageRef],
    spec: InputSpec,
    skip_broken: bool,
    on_decoded: Callable[[int], None] | None,
) -> NDArray[np.int64]:
    """Write the images that decode one after the other into `pixels`; their indices."""
    kept: list[int] = []
    for index, decoded in enumerate(_decode_all(images, partial(_try_decode, spec, skip_broken))):
        if decoded is not None:
            pixels[len(kept)] = decoded
            kept.append(index)
        if on_decoded is not None:
            on_decoded(index + 1)
    return np.array(kept, np.int64)


def _decode_all(
    images: Sequence[ImageRef], decode: Callable[[ImageRef, bytes], NDArray[np.uint8] | None]
) -> Iterator[NDArray[np.uint8] | None]:
    """Read in order on this thread, decode on all: Pillow lets go of the interpreter's lock."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(images), _CHUNK):
            chunk = images[start : start + _CHUNK]
            yield from pool.map(decode, chunk, [image.read() for image in chunk])


def decode_one(image: ImageRef, spec: InputSpec, *, skip_broken: bool) -> NDArray[np.uint8] | None:
    """Read, decode and preprocess one image; None where it is broken and may be left out.

    Raises:
        DataError: it is broken, and must not be left out.
    """
    return _try_decode(spec, skip_broken, image, image.read())


def _try_decode(spec: InputSpec, skip_broken: bool, image: ImageRef, content: bytes) -> NDArray[np.uint8] | None:
    try:
        return _decode(image, content, spec)
    except DataError:
        if skip_broken:
            return None
        raise


def _decode(image: ImageRef, content: bytes, spec: InputSpec) -> NDArray[np.uint8]:
    try:
        return preprocess(decode_image(content, image.name), spec)
    except DataError as error:
        raise DataError(
            f"an image of the data set is broken: {error.what}",
            got=image.name,
            hint="Remove it, or go on without it with --skip-broken",
        ) from error


def _check_room(cache: Path, size_bytes: int) -> None:
    existing = next(parent for parent in (cache, *cache.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if size_bytes > free:
        raise DataError(
            f"the decoded images need {size_bytes:,} bytes, and the disk of {existing} has {free:,} free",
            hint="Choose a smaller --resolution, or free some space",
        )


def _cache_key(images: Sequence[ImageRef], spec: InputSpec) -> str:
    digest = hashlib.sha256(json.dumps([_CACHE_FORMAT, spec.resize, spec.crop]).encode())
    for image in images:
        digest.update(bytes.fromhex(image.sha256))
    return digest.hexdigest()[:32]
