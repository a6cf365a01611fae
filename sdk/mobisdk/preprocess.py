"""Contract 3: from a photograph to the (crop, crop, 3) bytes that a network takes. NumPy and Pillow only.

Kotlin and Swift implement steps 1 to 5 from this text alone; the vectors in `tests/contract/preprocess/` hold the three
together. Everything is whole numbers, `div` rounds towards minus infinity, and x and y count from 0 at the top left.

0. **Decode.** Each platform's own decoder: W×H pixels of straight-alpha RGBA bytes in sRGB, and an EXIF orientation.
   An embedded profile is converted to sRGB; 16-bit grey v becomes (v + 128) div 257; of an animation, the first frame.
   An orientation that is absent, unreadable or outside 1 to 8 is 1.
1. **Orientation.** Pixel (x, y) of the upright image is this pixel of the stored one; 5 to 8 make it H×W:

       1 (x, y)    2 (W-1-x, y)    3 (W-1-x, H-1-y)    4 (x, H-1-y)
       5 (y, x)    6 (y, H-1-x)    7 (W-1-y, H-1-x)    8 (W-1-y, x)

2. **Alpha over black.** Each colour c with alpha a becomes (c·a + 127) div 255.
3. **Size.** A side of n pixels becomes m = (2·n·resize + s) div (2·s), where s is the shorter side: the shorter one
   becomes `resize`, the longer one is rounded half up.
4. **Crop.** Of each resized side, the `crop` pixels from (m - crop) div 2 on. Only these are ever computed.
5. **Resize.** Bilinear with half-pixel centres, antialiased when it shrinks. Along a side of n pixels that becomes m,
   output i takes input j with the weight

       w(i, j) = max(0, 2·max(n, m) - |(2j + 1)·m - (2i + 1)·n|)        for 0 ≤ j < n

   a triangle around the centre of i that reaches one input pixel far, or n/m pixels when shrinking. With T(i) the
   sum of w(i, j) over j, and S the sum of w(y, v)·w(x, u)·c(u, v) over all pixels (u, v), a colour of output (x, y) is

       (S + T div 2) div T        where T = T(x)·T(y)

   the weighted mean, rounded half up, once: nothing is rounded between the two axes, so their order is free.

From resize 32 up, 64-bit integers hold every sum exactly, and so do doubles (to 50 megapixels at 32, to 200 at 128):
all who sum in either agree to the byte. The contract allows a difference of 1, for a phone that resizes in single
precision.
"""

import contextlib
import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from mobisdk.errors import DataError
from mobisdk.specs import InputSpec

LARGEST_PIXELS = 200_000_000
"""A phone's 200-megapixel camera makes 199,756,800; more is taken for a decompression bomb."""
LARGEST_SIDE = 65_535
"""What JPEG can hold; it keeps the sums of step 5 exact."""

# Others that Pillow knows are refused unread: some start programs (EPS), none is a photograph's.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF")
# What Pillow's decoders raise on damaged bytes.
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, TypeError, LookupError, RuntimeError, struct.error, zlib.error)

_BLOCK = 8
"""Outputs summed by one product: more waste zeros, fewer waste calls."""
_SMALL_PRODUCT = 2**18
"""Multiplications in one product: BLAS keeps so few on the calling thread, and the operands stay in its cache."""


def load_image(path: Path) -> NDArray[np.uint8]:
    """Decode a file of any usual format and mode: upright (H,W,3) sRGB, alpha over black.

    Raises:
        DataError: the file is missing, empty, damaged, not an image, or too large.
    """
    try:
        with path.open("rb") as file:
            return _decode(file, str(path))
    except OSError as exc:
        raise DataError("image cannot be read", got=str(path), hint=exc.strerror) from exc


def decode_image(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode an image file's bytes as `load_image` does; `name` is what errors call it.

    Raises:
        DataError: the bytes are none, damaged, not an image, or one that is too large.
    """
    return _decode(io.BytesIO(data), name)


def pixels_to_rgb(rgba: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Steps 1 and 2: (H,W,4) stored pixels to (H,W,3) upright ones, or (W,H,3) where the orientation turns.

    Raises:
        DataError: the pixels are not (H,W,4) uint8, or the orientation is not 1 to 8.
    """
    _check_pixels(rgba, channels=4)
    return np.ascontiguousarray(apply_orientation(_over_black(rgba[..., :3], rgba[..., 3]), orientation))


def apply_orientation(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Step 1: a view of (H,W,C) pixels that stands upright.

    Raises:
        DataError: the orientation is not 1 to 8.
    """
    if orientation not in range(1, 9):
        raise DataError("EXIF orientation is unknown", got=orientation, allowed="1 to 8")
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def preprocess(image: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """Steps 3 to 5: any (H,W,3) image to (crop,crop,3), both uint8 RGB.

    Raises:
        DataError: the image is not (H,W,3) uint8, or a side is 0 or over LARGEST_SIDE.
    """
    _check_pixels(image, channels=3)
    height, width, _ = image.shape
    shorter = min(height, width)
    vertical, horizontal = (_axis(side, shorter, spec.resize, spec.crop) for side in (height, width))
    columns = horizontal.stop - horizontal.start
    rows = image[vertical.start : vertical.stop, horizontal.start : horizontal.stop].reshape(-1, columns * 3)
    strips = _weighted_sums(rows, vertical).reshape(spec.crop, columns, 3)  # (y, u, colour)
    strips_by_column = strips.transpose(1, 0, 2).reshape(columns, -1)  # (u, y × colour)
    sums = _weighted_sums(strips_by_column, horizontal).reshape(spec.crop, spec.crop, 3)  # (x, y, colour)
    totals = (horizontal.totals[:, None] * vertical.totals)[..., None]
    means = np.floor((sums + np.floor(totals / 2)) / totals)
    return np.ascontiguousarray(means.astype(np.uint8).transpose(1, 0, 2))


class _Axis(NamedTuple):
    """What step 5 needs to know of one side."""

    start: int
    """The first input that the crop depends on."""
    stop: int
    totals: NDArray[np.float64]
    """(crop,), T(i) of each output."""
    blocks: tuple[tuple[slice, slice, NDArray[np.float64]], ...]
    """Outputs, the inputs that they depend on counted from `start`, and the weights (outputs, inputs)."""


@lru_cache(maxsize=16)
def _axis(side: int, shorter: int, resize: int, crop: int) -> _Axis:
    resized = (2 * side * resize + shorter) // (2 * shorter)
    outputs = (resized - crop) // 2 + np.arange(crop)
    reach = 2 * max(side, resized)
    centres = (2 * outputs + 1) * side
    starts = np.maximum((centres - reach - resized) // (2 * resized) + 1, 0)
    stops = np.minimum(-((resized - centres - reach) // (2 * resized)), side)
    blocks = []
    for first in range(0, crop, _BLOCK):
        block = slice(first, min(first + _BLOCK, crop))
        inputs = np.arange(starts[block][0], stops[block][-1])
        weights = np.maximum(0, reach - abs((2 * inputs + 1) * resized - centres[block, None]))
        taken = slice(int(inputs[0] - starts[0]), int(inputs[-1] - starts[0]) + 1)
        blocks.append((block, taken, weights.astype(np.float64)))
    totals = np.concatenate([weights.sum(axis=1) for _, _, weights in blocks])
    return _Axis(int(starts[0]), int(stops[-1]), totals, tuple(blocks))


def _weighted_sums(rows: NDArray[np.uint8] | NDArray[np.float64], axis: _Axis) -> NDArray[np.float64]:
    """(inputs, columns) to (outputs, columns): whole numbers that float64 holds exactly, whatever BLAS's order."""
    columns = rows.shape[1]
    sums = np.empty((len(axis.totals), columns))
    for outputs, inputs, weights in axis.blocks:
        step = max(1, _SMALL_PRODUCT // weights.size)
        for column in range(0, columns, step):
            part = slice(column, column + step)
            sums[outputs, part] = weights @ rows[inputs, part].astype(np.float64, copy=False)
    return sums


def _check_pixels(pixels: NDArray[np.uint8], channels: int) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != channels:
        raise DataError(f"pixels must be (H,W,{channels}) uint8", got=f"{pixels.shape} {pixels.dtype}")
    if not 1 <= min(pixels.shape[:2]) <= max(pixels.shape[:2]) <= LARGEST_SIDE:
        raise DataError("an image's sides are out of range", got=pixels.shape[:2], allowed=f"1 to {LARGEST_SIDE}")


def _over_black(colours: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return ((colours * alpha[..., None].astype(np.uint16) + 127) // 255).astype(np.uint8)


def _decode(file: IO[bytes], name: str) -> NDArray[np.uint8]:
    if not file.read(1):
        raise DataError("image is empty", got=name)
    try:
        with _pillow_in_our_hands(), Image.open(file, formats=_FORMATS) as image:
            if max(image.size) > LARGEST_SIDE:
                raise DataError("image is too large", got=f"{name}, {image.size}", allowed=f"sides to {LARGEST_SIDE}")
            image.load()
            colours, alpha = _colours_and_alpha(image, name)
            orientation = _read_orientation(image)
    except Image.DecompressionBombError as exc:
        raise DataError("image is too large", got=name, allowed=f"at most {LARGEST_PIXELS:,} pixels") from exc
    except UnidentifiedImageError as exc:
        raise DataError("not an image", got=name, allowed=", ".join(_FORMATS)) from exc
    except _DECODER_ERRORS as exc:
        raise DataError("image is damaged or cut short", got=name, hint=str(exc)) from exc
    if alpha is not None:
        colours = _over_black(colours, alpha)
    return np.ascontiguousarray(apply_orientation(colours, orientation))


def _colours_and_alpha(image: Image.Image, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """(H,W,3) sRGB and, where the image has one, (H,W) alpha."""
    profile = image.info.get("icc_profile")
    if image.mode == "F":
        raise DataError("image has floating-point pixels, whose white is not defined", got=name, hint="Save as 16-bit")
    if image.mode.startswith("I"):
        image = _to_8_bits(image, name)
    alpha = None
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        alpha = np.array(image.convert("RGBA").getchannel("A"))
    native = "CMYK" if image.mode == "CMYK" else "L" if image.mode in ("1", "L", "LA") else "RGB"
    if image.mode != native:
        image = image.convert(native)
    if profile:
        image = _to_srgb(image, profile, name)
    return np.array(image.convert("RGB") if image.mode != "RGB" else image), alpha


def _to_8_bits(image: Image.Image, name: str) -> Image.Image:
    """16-bit grey to 8 bits, with an alpha channel where one value is transparent."""
    values = np.array(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65_535:
        raise DataError("image has grey values beyond 16 bits", got=name, hint="Save as 16-bit")
    grey = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if "transparency" in image.info:
        grey.putalpha(Image.fromarray(np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)))
    return grey


def _to_srgb(image: Image.Image, profile: bytes, name: str) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if space == "RGB" and image.mode == "L":
            image = image.convert("RGB")
        if {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}.get(space) != image.mode:
            raise DataError("colour profile is not for such pixels", got=f"{name}: {space} for {image.mode}")
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), image.mode, "RGB").apply(image)
    except (OSError, ImageCms.PyCMSError) as exc:
        raise DataError("colour profile is damaged", got=name, hint="Save the image as sRGB") from exc


def _read_orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except _DECODER_ERRORS:  # an unreadable block says nothing, here as on the phones
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


_pillow_lock = threading.Lock()
_pillow_state = contextlib.ExitStack()
_pillow_users = 0


@contextlib.contextmanager
def _pillow_in_our_hands() -> Iterator[None]:
    """Keep Pillow's warnings in, and make its limit on pixels ours, until the last thread that decodes leaves.

    Both are settings of the whole process: held by count, because threads that decode at once overlap.
    """
    global _pillow_users
    with _pillow_lock:
        if _pillow_users == 0:
            _pillow_state.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"PIL\.")
            _pillow_state.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
            Image.MAX_IMAGE_PIXELS = LARGEST_PIXELS // 2  # Pillow refuses twice what it warns of
        _pillow_users += 1
    try:
        yield
    finally:
        with _pillow_lock:
            _pillow_users -= 1
            if _pillow_users == 0:
                _pillow_state.close()
