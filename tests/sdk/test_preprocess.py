"""Resizing against torch, Pillow and sums done by hand. How files are decoded is tested in test_preprocess_decoding."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from mobisdk.data.photographs import load_photographs
from mobisdk.errors import DataError
from mobisdk.preprocess import LARGEST_SIDE, pixels_to_rgb, preprocess
from mobisdk.specs import InputSpec

Pixels = NDArray[np.uint8]


def centre(image: Pixels, crop: int) -> Pixels:
    height, width, _ = image.shape
    return image[(height - crop) // 2 :, (width - crop) // 2 :][:crop, :crop]


@pytest.mark.parametrize(
    ("row", "resize", "expected"),
    [
        ([0, 100], 4, [0, 25, 75, 100]),  # centres at 1/4, 3/4, 5/4, 7/4; outside there is nothing
        ([0, 70, 140, 210], 2, [50, 160]),  # weights 3/4, 3/4, 1/4, and the same mirrored
        ([0, 255], 1, [128]),  # 127.5 rounds up
    ],
)
def test_tiny_rows_come_out_as_worked_by_hand(row: list[int], resize: int, expected: list[int]) -> None:
    image = np.broadcast_to(np.array(row, np.uint8)[None, :, None], (len(row), len(row), 3))
    resized = preprocess(image, InputSpec(resize, resize))
    np.testing.assert_array_equal(resized, np.broadcast_to(np.array(expected)[None, :, None], resized.shape))


@pytest.mark.parametrize("resize", [32, 37, 146, 256, 426, 585])
@pytest.mark.parametrize("index", [0, 1])
def test_photographs_are_within_1_of_pillow(index: int, resize: int) -> None:
    pixels = load_photographs()[index].pixels
    size = ((2 * 640 * resize + 427) // 854, resize)
    theirs = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)).astype(int)
    ours = preprocess(pixels, InputSpec(resize, resize))
    assert abs(centre(theirs, resize) - ours).max() <= 1


@pytest.mark.parametrize(("height", "width", "resize"), [(5, 7, 31), (427, 640, 600), (64, 48, 20), (427, 640, 224)])
def test_equals_torch_in_double_precision_but_for_ties(height: int, width: int, resize: int) -> None:
    pixels = np.ascontiguousarray(load_photographs()[0].pixels[:height, :width])
    shorter = min(height, width)
    size = [(2 * side * resize + shorter) // (2 * shorter) for side in (height, width)]
    batch = torch.from_numpy(pixels).permute(2, 0, 1)[None].double()
    exact = torch.nn.functional.interpolate(batch, size, mode="bilinear", align_corners=False, antialias=True)
    if resize > shorter:  # then antialiasing changes nothing, in their words too
        plain = torch.nn.functional.interpolate(batch, size, mode="bilinear", align_corners=False)
        torch.testing.assert_close(exact, plain, rtol=0, atol=1e-4)
    values = centre(exact[0].permute(1, 2, 0).numpy(), resize)
    ours = preprocess(pixels, InputSpec(resize, resize))
    tie = abs(values % 1 - 0.5) < 1e-3  # torch's weights are single precision
    np.testing.assert_array_equal(ours[~tie], np.floor(values + 0.5)[~tie])
    assert abs(ours - values).max() <= 0.501


@pytest.mark.parametrize("shape", [(9, 6), (6, 9), (10, 7), (6, 6)])
def test_exact_size_is_only_cropped(shape: tuple[int, int]) -> None:
    image = np.arange(shape[0] * shape[1] * 3, dtype=np.uint8).reshape(*shape, 3)
    np.testing.assert_array_equal(preprocess(image, InputSpec(min(shape), 5)), centre(image, 5))


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, LARGEST_SIDE), (LARGEST_SIDE, 1), (3, 9000), (9000, 3)])
def test_extreme_images_stay_constant_in_little_memory(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), (1, 128, 255), np.uint8)
    tracemalloc.start()
    resized = preprocess(image, InputSpec(256, 224))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert resized.shape == (224, 224, 3)
    np.testing.assert_array_equal(resized, np.broadcast_to((1, 128, 255), resized.shape))
    assert peak_bytes < 16_000_000


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.broadcast_to(np.uint8(0), (1, LARGEST_SIDE + 1, 3)),
    ],
)
def test_pixels_of_another_kind_are_refused(image: Any) -> None:
    with pytest.raises(DataError, match=r"uint8|sides"):
        preprocess(image, InputSpec(4, 4))


def test_alpha_goes_over_black_to_the_nearest() -> None:
    colour, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    rgb = pixels_to_rgb(np.dstack([colour, colour, colour, alpha]), 1)
    assert abs(rgb[..., 0] - colour * (alpha / 255)).max() < 0.5  # 255 is odd: there are no ties
