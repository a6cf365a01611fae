"""The packaged photographs: real, different from one another, and the same every time."""

import subprocess
import sys

import numpy as np
import pytest

from mobisdk.data.photographs import image_set_sha256, load_photographs, photograph_crops
from mobisdk.specs import InputSpec


def test_photographs_are_scikit_learns() -> None:
    from sklearn.datasets import load_sample_images

    photographs = load_photographs()
    assert [photograph.name for photograph in photographs] == ["china", "flower"]
    for photograph, theirs in zip(photographs, load_sample_images().images, strict=True):
        assert photograph.pixels.shape == (427, 640, 3)
        np.testing.assert_array_equal(photograph.pixels, theirs)


def test_loading_imports_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys; from mobisdk.data.photographs import load_photographs; load_photographs();"
        "sys.exit(bool({'torch', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("spec", [InputSpec(37, 32), InputSpec(146, 128)], ids=["32", "128"])
def test_crops_are_all_different_and_the_same_every_time(spec: InputSpec) -> None:
    crops = photograph_crops(300, spec)
    assert crops.shape == (300, spec.crop, spec.crop, 3)
    assert crops.dtype == np.uint8
    assert len({crop.tobytes() for crop in crops}) == 300
    np.testing.assert_array_equal(photograph_crops(20, spec), crops[:20])


def test_crops_are_spread_over_photographs_scales_and_flips() -> None:
    crops = photograph_crops(64, InputSpec(32, 32)).astype(float)
    for pictures in (crops[0::2], crops[1::2]):
        means = pictures.mean(axis=(1, 2, 3))
        assert np.ptp(means) > 30  # sky and temple, petals and shade: not one view again and again
    flower, mirrored = crops[1::4].mean(axis=0), crops[3::4].mean(axis=0)
    assert abs(flower - mirrored[:, ::-1]).mean() < abs(flower - mirrored).mean()


def test_no_crops_are_an_empty_set() -> None:
    assert photograph_crops(0, InputSpec(32, 32)).shape == (0, 32, 32, 3)


def test_the_hash_sees_every_byte_the_order_and_the_shapes() -> None:
    images = photograph_crops(3, InputSpec(32, 32))
    changed = images.copy()
    changed[2, 31, 31, 2] ^= 1
    hashes = [
        image_set_sha256(each) for each in (images, changed, images[::-1], images[:2], images.reshape(3, 16, 64, 3))
    ]
    assert len(set(hashes)) == 5
    assert image_set_sha256(list(images)) == hashes[0]
    assert len(hashes[0]) == 64
