import itertools
from pathlib import Path

import pytest

from mobisdk.errors import MobiError
from mobisdk.latency.known_accuracy import AccuracyBook, KnownAccuracy, read_accuracy_table
from mobisdk.specs import ModelSpec

PAPER = {
    (1.0, 224): 0.706, (1.0, 192): 0.691, (1.0, 160): 0.672, (1.0, 128): 0.644,
    (0.75, 224): 0.684, (0.5, 224): 0.637, (0.25, 224): 0.506, (0.5, 160): 0.602,
}  # fmt: skip
"""ImageNet top-1 of MobileNetV1. Source: Howard et al. 2017 (arXiv:1704.04861), tables 6, 7 and 8."""


def book(points: dict[tuple[float, int], float], recipe: str | None = None) -> AccuracyBook:
    return AccuracyBook(
        KnownAccuracy(ModelSpec(alpha=alpha, resolution=resolution), recipe, share, "")
        for (alpha, resolution), share in points.items()
    )


def spec(alpha: float, resolution: int) -> ModelSpec:
    return ModelSpec(alpha=alpha, resolution=resolution)


def test_what_was_measured_is_given_as_it_was() -> None:
    known = book(PAPER)
    for dials, share in PAPER.items():
        at = known.at(spec(*dials), "xnnpack_fp32")
        assert at is not None
        assert (at.share, at.is_interpolated) == (share, False)


def test_what_lies_between_rises_with_both_dials() -> None:
    known = book(PAPER)
    alphas, resolutions = [0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0], [160, 176, 192, 208, 224]
    at = {dials: known.at(spec(*dials), "xnnpack_fp32") for dials in itertools.product(alphas, resolutions)}
    shares = {dials: accuracy.share for dials, accuracy in at.items() if accuracy}
    assert len(shares) == len(at)
    for (alpha, resolution), share in shares.items():
        for other, bigger in shares.items():
            if other[0] >= alpha and other[1] >= resolution:
                assert bigger >= share - 1e-12
    assert 0.637 < shares[0.6, 224] < 0.684
    assert 0.602 < shares[0.5, 192] < 0.637


def test_middle_of_two_is_linear_in_the_logarithm() -> None:
    at = book({(0.25, 128): 0.5, (1.0, 128): 0.7}).at(spec(0.5, 128), "xnnpack_fp32")
    assert at is not None
    assert at.share == pytest.approx(0.6)
    assert at.is_interpolated


@pytest.mark.parametrize("dials", [(0.2, 224), (1.2, 224), (1.0, 256), (0.5, 128)])
def test_beyond_what_was_measured_nothing_is_said(dials: tuple[float, int]) -> None:
    assert book(PAPER).at(spec(*dials), "xnnpack_fp32") is None


def test_noise_that_falls_is_made_monotone_between() -> None:
    known = book({(0.5, 128): 0.60, (0.75, 128): 0.59, (1.0, 128): 0.65})
    one, two = (known.at(spec(alpha, 128), "xnnpack_fp32") for alpha in (0.6, 0.7))
    assert one is not None
    assert two is not None
    assert 0.59 <= one.share <= two.share <= 0.65


def test_lossy_recipe_has_its_own_accuracy_or_none() -> None:
    known = AccuracyBook(
        [KnownAccuracy(spec(1.0, 224), None, 0.7, ""), KnownAccuracy(spec(1.0, 224), "xnnpack_int8", 0.66, "")]
    )
    shares = {recipe: known.at(spec(1.0, 224), recipe) for recipe in ("xnnpack_fp16", "xnnpack_int8", "coreml_int8")}
    assert {recipe: at and at.share for recipe, at in shares.items()} == {
        "xnnpack_fp16": 0.7, "xnnpack_int8": 0.66, "coreml_int8": None,
    }  # fmt: skip


def table(path: Path, *rows: str, header: str = "arch,alpha,resolution,accuracy") -> Path:
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


def test_table_in_percent_is_one_in_shares(tmp_path: Path) -> None:
    percent = table(tmp_path / "a.csv", "mobilenet_v1,1,224,70.6", "mobilenet_v1,0.25,128,0.9")
    shares = table(tmp_path / "b.csv", "mobilenet_v1,1,224,0.706", "mobilenet_v1,0.25,128,0.009")
    assert [k.share for k in read_accuracy_table(percent)] == pytest.approx(
        [k.share for k in read_accuracy_table(shares)]
    )


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["mobilenet_v1,1,224,half"], "accuracy in line 2"),
        (["mobilenet_v1,1,224,101"], "accuracy in line 2"),
        (["mobilenet_v1,1,224,nan"], "accuracy in line 2"),
        (["alexnet,1,224,0.6"], "arch in line 2"),
        (["mobilenet_v1,1,224,0.6", "mobilenet_v1,1.0,224,0.7"], "lines 2 and 3"),
    ],
)
def test_table_that_is_wrong_is_an_error(tmp_path: Path, rows: list[str], reason: str) -> None:
    with pytest.raises(MobiError, match=reason):
        read_accuracy_table(table(tmp_path / "t.csv", *rows))
    with pytest.raises(MobiError, match="lacks the column accuracy"):
        read_accuracy_table(table(tmp_path / "t.csv", "mobilenet_v1,1,224", header="arch,alpha,resolution"))
