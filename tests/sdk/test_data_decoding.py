import io
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobisdk.data import Dataset, ImageRef, decode_images
from mobisdk.data.view import choose_input
from mobisdk.errors import DataError
from mobisdk.specs import InputSpec

SPEC = InputSpec(resize=4, crop=4)


def encode(image: Image.Image, file_format: str = "PNG", orientation: int | None = None) -> bytes:
    file, exif = io.BytesIO(), Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    image.save(file, file_format, exif=exif)
    return file.getvalue()


def make_image(name: str, content: bytes, label: int = 0) -> ImageRef:
    return ImageRef(name, label, partial(bytes, content))


def make_images(count: int = 3, side: int = 8) -> list[ImageRef]:
    """Image n is of the colour (10·n, 0, 0) and has the label n."""
    return [
        make_image(f"image {index}", encode(Image.new("RGB", (side, side), (10 * index, 0, 0))), index)
        for index in range(count)
    ]


def test_decode_gives_every_image_in_order(tmp_path: Path) -> None:
    done: list[int] = []

    decoded = decode_images(make_images(), SPEC, cache=tmp_path / "cache", on_decoded=done.append)

    assert decoded.pixels.shape == (3, 4, 4, 3)
    assert decoded.pixels[:, 0, 0, 0].tolist() == [0, 10, 20]
    assert decoded.labels.tolist() == [0, 1, 2]
    assert decoded.names == ("image 0", "image 1", "image 2")
    assert decoded.broken == ()
    assert done == [1, 2, 3]
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(("file_format", "tolerance"), [("JPEG", 12), ("PNG", 0), ("WEBP", 12)])
def test_decode_turns_an_image_upright(tmp_path: Path, file_format: str, tolerance: int) -> None:
    stored = Image.new("RGB", (16, 16), (0, 0, 0))
    stored.paste((240, 240, 240), (0, 0, 8, 16))  # its left half is bright
    turned = make_image("turned", encode(stored, file_format, orientation=6))  # to be turned by 90° clockwise

    pixels = decode_images([turned], SPEC, cache=tmp_path).pixels[0].astype(int)

    assert abs(pixels[0] - 240).max() <= tolerance
    assert abs(pixels[-1]).max() <= tolerance


def test_decode_when_an_image_is_broken_then_data_error_names_it(tmp_path: Path) -> None:
    images = make_images()
    images[1] = make_image("cats/cut.png", images[1].read()[:40])

    with pytest.raises(DataError, match=r"broken.*cats/cut\.png.*--skip-broken"):
        decode_images(images, SPEC, cache=tmp_path)


@pytest.mark.parametrize("memory_budget_bytes", [2**20, 0])
def test_decode_when_broken_images_are_skipped_then_they_are_named(tmp_path: Path, memory_budget_bytes: int) -> None:
    images = make_images(4)
    images[1] = make_image("no image", b"text")
    images[2] = make_image("nothing", b"")

    decoded = decode_images(images, SPEC, cache=tmp_path, skip_broken=True, memory_budget_bytes=memory_budget_bytes)

    assert decoded.pixels[:, 0, 0, 0].tolist() == [0, 30]
    assert decoded.labels.tolist() == [0, 3]
    assert decoded.names == ("image 0", "image 3")
    assert decoded.broken == ("no image", "nothing")
    with pytest.raises(DataError, match="no image"):
        decode_images(images, SPEC, cache=tmp_path, memory_budget_bytes=memory_budget_bytes)


def test_decode_when_memory_is_short_then_the_disk_has_them_and_they_are_decoded_once(tmp_path: Path) -> None:
    images, done = make_images(), list[int]()
    decode = partial(decode_images, images, cache=tmp_path / "cache", memory_budget_bytes=0, on_decoded=done.append)

    first, second = decode(SPEC), decode(SPEC)

    assert isinstance(second.pixels, np.memmap)
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(second.pixels, decode_images(images, SPEC, cache=tmp_path).pixels)
    assert done == [1, 2, 3]
    assert len(list((tmp_path / "cache").iterdir())) == 1

    decode(InputSpec(resize=5, crop=4))
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_decode_when_it_fails_halfway_then_no_cache_is_left(tmp_path: Path) -> None:
    images = [*make_images(), make_image("cut", b"text")]

    with pytest.raises(DataError):
        decode_images(images, SPEC, cache=tmp_path, memory_budget_bytes=0)

    assert not list(tmp_path.iterdir())


class Repeated(Sequence[ImageRef]):
    """One image, as often as is said, in no memory at all."""

    def __init__(self, image: ImageRef, count: int) -> None:
        self.image, self.count = image, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> ImageRef:  # type: ignore[override]
        if index >= self.count:
            raise IndexError(index)
        return self.image


def test_decode_when_the_disk_has_no_room_then_data_error_before_a_byte_is_written(tmp_path: Path) -> None:
    largest = InputSpec(resize=2048, crop=2048)
    free = shutil.disk_usage(tmp_path).free
    images = Repeated(make_images(1)[0], free // (2048 * 2048 * 3) + 1000)
    needed = len(images) * 2048 * 2048 * 3

    with pytest.raises(DataError, match=f"need {needed:,} bytes.* has [0-9,]+ free"):
        decode_images(images, largest, cache=tmp_path / "cache")

    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(("side", "expected"), [(8, (64, 64)), (64, (64, 64)), (65, (73, 64)), (500, (73, 64))])
def test_choose_input_cuts_a_rim_only_where_there_are_pixels_to_spare(side: int, expected: tuple[int, int]) -> None:
    images = [make_image(str(label), encode(Image.new("RGB", (2 * side, side))), label) for label in range(2)]
    dataset = Dataset("pets", ("a", "b"), tuple(images), tuple(images), duplicates=0)

    spec = choose_input(dataset, 64)

    assert (spec.resize, spec.crop) == expected
