import functools

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor, nn

from mobiconvert.calibration import Calibration
from mobiconvert.deployment import DeployedNetwork
from mobiconvert.held_out import check_held_out
from mobiconvert.layer_sqnr import LayerSqnr
from mobisdk.errors import DataError, ParityError
from mobisdk.specs import InputSpec

SPEC = InputSpec(4, 4, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def images(count: int, side: int = 4) -> NDArray[np.uint8]:
    return np.arange(count * side * side * 3, dtype=np.uint32).astype(np.uint8).reshape(count, side, side, 3)


def labels(count: int) -> NDArray[np.int64]:
    return np.zeros(count, np.int64)


@pytest.mark.parametrize(
    ("train", "train_labels", "test", "test_labels", "sentence"),
    [
        (images(15), labels(15), images(1), labels(1), "too few images to calibrate with, got 15; allowed: 16 or more"),
        (images(16) * 0, labels(16), images(1), labels(1), "all 16 calibration images from here are equal"),
        (images(16) / 255, labels(16), images(1), labels(1), "must be (N,H,W,3) uint8"),
        (images(16)[..., :1], labels(16), images(1), labels(1), "must be (N,H,W,3) uint8"),
        (images(16), labels(15), images(1), labels(1), "one label"),
        (images(16), labels(16), images(0), labels(0), "no held-out image"),
    ],
)
def test_calibration_when_images_cannot_calibrate_then_says_why(
    train: NDArray[np.uint8],
    train_labels: NDArray[np.int64],
    test: NDArray[np.uint8],
    test_labels: NDArray[np.int64],
    sentence: str,
) -> None:
    with pytest.raises(DataError) as caught:
        Calibration("here", train, train_labels, test, test_labels)
    assert sentence in str(caught.value)


def test_check_size_when_images_are_larger_than_the_input_then_refused() -> None:
    calibration = Calibration("here", images(16), labels(16), images(2), labels(2))
    calibration.check_size(4)
    with pytest.raises(DataError, match=r"got '4×4'; allowed: 8×8"):
        calibration.check_size(8)


class BrightestChannel(nn.Module):
    """Names the channel whose mean is highest: 0, 1 or 2."""

    def forward(self, image: Tensor) -> Tensor:
        return image.mean((2, 3))


def coloured(*channels: int) -> NDArray[np.uint8]:
    pixels = np.zeros((len(channels), 4, 4, 3), np.uint8)
    for index, channel in enumerate(channels):
        pixels[index, :, :, channel] = 200
    return pixels


def measure_by_hand(_: NDArray[np.uint8]) -> list[LayerSqnr]:
    return [LayerSqnr("stem", "convolution", 30.0), LayerSqnr("head", "product", 1.25)]


def run_always_naming_red(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.tile(np.array([1, 0, 0], np.float32), (len(pixels), 1))


# Four images: red, red, green, blue. The network names them all right, but is told that the last one is red.
HELD_OUT = Calibration("paint", images(16), labels(16), coloured(0, 0, 1, 2), np.array([0, 0, 1, 0]))


def test_check_held_out_when_worked_by_hand_then_equal() -> None:
    deployed = DeployedNetwork(BrightestChannel(), SPEC).eval()
    check = check_held_out(
        deployed, run_always_naming_red, HELD_OUT, measure_by_hand, recipe="a recipe", max_drop=1.0, keep_anyway=False
    )
    assert (check.images, check.network_top1, check.artefact_top1, check.top1_agreement) == (4, 0.75, 0.75, 0.5)
    assert not check.kept_anyway


def test_check_held_out_when_top1_falls_then_a_parity_error_with_both_figures_or_kept_and_marked() -> None:
    collapsed = Calibration("paint", images(16), labels(16), coloured(0, 1, 1, 2), np.array([0, 1, 1, 2]))
    check = functools.partial(
        check_held_out,
        DeployedNetwork(BrightestChannel(), SPEC).eval(),
        run_always_naming_red,
        collapsed,
        measure_by_hand,
        recipe="r",
    )
    with pytest.raises(ParityError) as caught:
        check(max_drop=74.9, keep_anyway=False)
    for part in ("100.0% right and the artefact 25.0%", "75.0 points", "--max-drop 74.9", "--keep-anyway"):
        assert part in str(caught.value)
    assert "the layers with the worst SQNR are head 1.2 dB, stem 30.0 dB" in str(caught.value)
    kept = check(max_drop=74.9, keep_anyway=True)
    assert kept.kept_anyway
    assert [layer.layer for layer in kept.worst_layers] == ["head", "stem"]
    allowed = check(max_drop=75.0, keep_anyway=True)
    assert not allowed.kept_anyway
    assert allowed.worst_layers == ()
