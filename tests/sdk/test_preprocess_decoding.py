"""Files of every mode against hand-made pixels, and files that are none. Resizing is tested in test_preprocess."""

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from mobisdk.data.photographs import load_photographs
from mobisdk.errors import DataError
from mobisdk.preprocess import LARGEST_SIDE, apply_orientation, decode_image, load_image


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def first_pixel(data: bytes) -> list[int]:
    return decode_image(data, "test")[0, 0].tolist()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP"])
def test_orientation_turns_as_pillow_does(orientation: int, file_format: str) -> None:
    pixels = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(pixels)
    data = encoded(image, file_format, exif=exif, **({"lossless": True} if file_format == "WEBP" else {}))
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(decode_image(data, "turned"), expected)
    np.testing.assert_array_equal(apply_orientation(pixels, orientation), expected)


@pytest.mark.parametrize("orientation", [0, 9])
def test_an_orientation_that_does_not_exist_is_1_in_a_file_and_refused_in_a_call(orientation: int) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(decode_image(encoded(Image.fromarray(pixels), exif=exif), "odd"), pixels)
    with pytest.raises(DataError, match="orientation"):
        apply_orientation(pixels, orientation)


def palette_image() -> Image.Image:
    image = Image.new("P", (2, 2), 1)
    image.putpalette([9, 9, 9, 200, 100, 50])
    return image


def grey_16_bits(value: int) -> Image.Image:
    return Image.fromarray(np.full((2, 2), value, np.uint16))


PRINT = Image.new("CMYK", (16, 16), (255, 0, 51, 51))  # (255 - ink) · (255 - key) / 255 = 0, 204, 163.2
MODES = {
    "bit": (encoded(Image.new("1", (2, 2), 1)), [255, 255, 255]),
    "bit_transparent": (encoded(Image.new("1", (2, 2), 1), transparency=1), [0, 0, 0]),
    "grey": (encoded(Image.new("L", (2, 2), 77)), [77, 77, 77]),
    "grey_transparent": (encoded(Image.new("L", (2, 2), 77), transparency=77), [0, 0, 0]),
    "grey_alpha": (encoded(Image.new("LA", (2, 2), (200, 51))), [40, 40, 40]),
    "rgb_transparent": (encoded(Image.new("RGB", (2, 2), (1, 2, 3)), transparency=(1, 2, 3)), [0, 0, 0]),
    "rgb_other_transparent": (encoded(Image.new("RGB", (2, 2), (1, 2, 3)), transparency=(1, 2, 4)), [1, 2, 3]),
    "rgba": (encoded(Image.new("RGBA", (2, 2), (255, 100, 0, 51))), [51, 20, 0]),
    "palette": (encoded(palette_image()), [200, 100, 50]),
    "palette_transparent": (encoded(palette_image(), transparency=1), [0, 0, 0]),
    "palette_alpha": (encoded(palette_image(), transparency=bytes([255, 51])), [40, 20, 10]),
    "gif": (encoded(palette_image(), "GIF"), [200, 100, 50]),
    "grey16_white": (encoded(grey_16_bits(65_535)), [255, 255, 255]),
    "grey16_below": (encoded(grey_16_bits(257 * 77 + 128)), [77, 77, 77]),  # 77.498
    "grey16_above": (encoded(grey_16_bits(257 * 77 + 129)), [78, 78, 78]),  # 77.502
    "grey16_transparent": (encoded(grey_16_bits(5000), transparency=5000), [0, 0, 0]),
    "grey16_tiff": (encoded(grey_16_bits(257 * 77), "TIFF"), [77, 77, 77]),
    "grey16_ppm": (b"P5 1 1 65535\n" + struct.pack(">H", 257 * 77), [77, 77, 77]),  # Pillow's mode I
    "cmyk_tiff": (encoded(PRINT, "TIFF"), [0, 204, 163]),
    "cmyk_jpeg": (encoded(PRINT, "JPEG", quality=100), [0, 204, 163]),
    "ycbcr": (encoded(Image.new("YCbCr", (2, 2), (128, 128, 128)), "TIFF"), [128, 128, 128]),
    "lab": (encoded(Image.new("LAB", (2, 2), (128, 128, 128)), "TIFF"), [119, 119, 119]),  # L* = 50.2
}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_rgb(mode: str) -> None:
    data, expected = MODES[mode]
    assert first_pixel(data) == expected


def fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def icc_profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC version 2 profile. Source: ICC.1:2001-04, sections 6.1 to 6.3."""
    table, body = b"", b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = 132 + len(table) + len(body)
    header = struct.pack(">I4xI4s4s4s12x4s28x", size, 0x02400000, b"prtr", space, connection, b"acsp")
    return (header + fixed(0.9642, 1, 0.8249)).ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + fixed(*values)


LINEAR = b"curv" + bytes(8)
PRIMARIES = {
    b"rXYZ": xyz(0.4360, 0.2225, 0.0139),
    b"gXYZ": xyz(0.3851, 0.7169, 0.0971),
    b"bXYZ": xyz(0.1431, 0.0606, 0.7141),
}
WHITE = {b"wtpt": xyz(0.9642, 1, 0.8249)}
LINEAR_RGB = icc_profile(b"RGB ", b"XYZ ", WHITE | PRIMARIES | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), LINEAR))
LINEAR_GREY = icc_profile(b"GRAY", b"XYZ ", WHITE | {b"kTRC": LINEAR})
# A press whose inks are all grey: cyan alone prints L* = 60.8 % of its 255 steps, key prints black.
INKS = b"".join(bytes([0 if i & 1 else 155 if i & 8 else 255, 128, 128]) for i in range(16))
RAMP = bytes(range(256))
GREY_INKS = icc_profile(
    b"CMYK",
    b"Lab ",
    WHITE | {b"A2B0": b"mft1" + bytes([0, 0, 0, 0, 4, 3, 2, 0]) + fixed(*np.eye(3).flat) + RAMP * 4 + INKS + RAMP * 3},
)


def srgb_encoded(linear: float) -> int:
    """Source: IEC 61966-2-1, the transfer function."""
    return round(255 * (12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055))


def test_profiles_are_converted_to_srgb() -> None:
    rgb = encoded(Image.new("RGB", (2, 2), (10, 128, 250)), icc_profile=LINEAR_RGB)
    assert first_pixel(rgb) == [srgb_encoded(value / 255) for value in (10, 128, 250)]
    half = [srgb_encoded(128 / 255)] * 3
    assert first_pixel(encoded(Image.new("L", (2, 2), 128), icc_profile=LINEAR_GREY)) == half
    assert first_pixel(encoded(Image.new("L", (2, 2), 128), icc_profile=LINEAR_RGB)) == half
    assert first_pixel(encoded(grey_16_bits(128 * 257), icc_profile=LINEAR_GREY)) == half
    translucent = encoded(Image.new("RGBA", (2, 2), (128, 128, 128, 51)), icc_profile=LINEAR_RGB)
    assert first_pixel(translucent) == [round(half[0] / 5)] * 3
    cyan = [srgb_encoded(((155 / 255 * 100 + 16) / 116) ** 3)] * 3
    assert first_pixel(encoded(Image.new("CMYK", (2, 2), (255, 0, 0, 0)), "TIFF", icc_profile=GREY_INKS)) == cyan


@pytest.mark.parametrize(
    ("image", "profile", "sentence"),
    [
        (Image.new("RGB", (2, 2)), b"no profile at all", "profile is damaged"),
        (Image.new("RGB", (2, 2)), LINEAR_RGB[:200], "profile is damaged"),
        (Image.new("RGB", (2, 2)), LINEAR_GREY, "profile is not for such pixels"),
        (Image.new("RGB", (2, 2)), GREY_INKS, "profile is not for such pixels"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused(image: Image.Image, profile: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        decode_image(encoded(image, icc_profile=profile), "test")


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(100))
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"a letter, not a photograph", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (png_header(0, 5), "not an image"),
        (png_header(14_143, 14_143), "too large.*200,000,000 pixels"),
        (png_header(LARGEST_SIDE + 1, 1), "too large.*sides"),
        (png_header(10_000, 10_001), "damaged"),  # Pillow alone would warn of a bomb, and go on
        (encoded(Image.new("F", (2, 2)), "TIFF"), "floating-point"),
        (encoded(Image.new("I", (2, 2), 65_536), "TIFF"), "beyond 16 bits"),
        (encoded(Image.new("I", (2, 2), -1), "TIFF"), "beyond 16 bits"),
    ],
)
def test_what_is_no_photograph_is_refused_by_name(data: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    with pytest.raises(DataError, match=sentence) as caught:
        load_image(path)
    assert str(path) in str(caught.value)


def test_a_path_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        load_image(tmp_path / "missing.jpg")
    with pytest.raises(DataError, match="directory"):
        load_image(tmp_path)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF"])
def test_damaged_bytes_give_pixels_or_a_data_error(file_format: str) -> None:
    photograph = Image.fromarray(load_photographs()[0].pixels[:40, :48])
    whole = encoded(photograph, file_format)
    assert decode_image(whole, "whole").shape == (40, 48, 3)
    generator = np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[generator.integers(len(whole))] = generator.integers(256)
        with pytest.raises(DataError):
            decode_image(whole[: generator.integers(len(whole) - len(whole) // 10)], "cut short")
        try:
            pixels = decode_image(bytes(damaged), "damaged")
        except DataError:
            continue
        assert pixels.dtype == np.uint8


def test_pillows_warnings_and_limits_are_as_before_even_with_threads() -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\xff\0\0\0\xff\xff\0\0"  # a maker's name beyond the end
    data = encoded(Image.new("RGB", (64, 64)), "JPEG", exif=exif)
    with pytest.warns(UserWarning, match=r"EXIF|Truncated|larger"), Image.open(io.BytesIO(data)) as image:
        image.getexif()
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    with ThreadPoolExecutor(4) as threads:
        shapes = set(threads.map(lambda _: decode_image(data, "odd").shape, range(200)))
    assert shapes == {(64, 64, 3)}
    assert limit == Image.MAX_IMAGE_PIXELS
    assert filters == warnings.filters
