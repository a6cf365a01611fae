"""Images of another size, against NumPy's interpolation at points worked out by hand, and torch's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.conversion.mil_operators.cases import Array, Case, check, run_program, scalar

from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)


def interpolate(x: Array, rows: Sequence[float], columns: Sequence[float]) -> Array:
    """Linear between neighbours, at these rows and columns."""
    for axis, points in ((-2, rows), (-1, columns)):
        grid = np.arange(x.shape[axis])
        x = np.apply_along_axis(lambda line, points=points, grid=grid: np.interp(points, grid, line), axis, x)
    return x


# Where 5 new points lie among 2, by coremltools' own documents (resize_bilinear, Notes), and 1 or 2 among 3.
POINTS = {
    "DEFAULT": ([0, 0.4, 0.8, 1, 1], [0], [0, 1.5]),
    "STRICT_ALIGN_CORNERS": ([0, 0.25, 0.5, 0.75, 1], [0], [0, 2]),
    "ALIGN_CORNERS": ([0, 0.25, 0.5, 0.75, 1], [1], [0, 2]),
    "UNALIGN_CORNERS": ([0, 0.1, 0.5, 0.9, 1], [1], [0.25, 1.75]),
    "OFFSET_CORNERS": ([0.1, 0.3, 0.5, 0.7, 0.9], [1], [0.5, 1.5]),
}


def _resizes(mode: str) -> list[Case]:
    five, one, two = POINTS[mode]
    return [
        Case(
            f"resize_bilinear {mode}",
            lambda a: mb.resize_bilinear(x=a, target_size_height=5, target_size_width=2, sampling_mode=mode),
            lambda a: interpolate(a, five, two),
            shapes=((1, 2, 2, 3),),
        ),
        Case(
            f"resize_bilinear {mode} to one row",
            lambda a: mb.resize_bilinear(x=a, target_size_height=1, target_size_width=5, sampling_mode=mode),
            lambda a: interpolate(a, one, five),
            shapes=((1, 2, 3, 2),),
        ),
        Case(
            f"resize {mode}",
            lambda a: mb.resize(
                x=a,
                shape=np.array([7, 5, 2], np.int32),
                resized_dims=np.uint32(2),
                interpolation_mode="LINEAR",
                sampling_mode=mode,
            ),
            lambda a: interpolate(a, five, two),
            shapes=((1, 2, 2, 3),),
            opset="iOS17",
        ),
    ]


CASES = [
    *(case for mode in POINTS for case in _resizes(mode)),
    Case(
        "resize, a dimension kept",
        lambda a: mb.resize(x=a, shape=np.array([0, 2], np.int32), resized_dims=np.uint32(2)),
        lambda a: interpolate(a, [0, 1], POINTS["DEFAULT"][2]),
        shapes=((1, 2, 2, 3),),
        opset="iOS17",
    ),
    Case(
        "resize NEAREST_NEIGHBOR",
        lambda a: mb.resize(
            x=a, shape=np.array([5, 2], np.int32), resized_dims=np.uint32(2), interpolation_mode="NEAREST_NEIGHBOR"
        ),
        lambda a: a[..., [0, 0, 0, 1, 1], :][..., [0, 1]],
        shapes=((1, 2, 2, 3),),
        opset="iOS17",
    ),
    Case(
        "resize_nearest_neighbor",
        lambda a: mb.resize_nearest_neighbor(x=a, target_size_height=5, target_size_width=2),
        lambda a: a[..., [0, 0, 0, 1, 1], :][..., [0, 1]],
        shapes=((1, 2, 2, 3),),
    ),
    Case(
        "upsample_nearest_neighbor",
        lambda a: mb.upsample_nearest_neighbor(x=a, scale_factor_height=2.0, scale_factor_width=3.0),
        lambda a: np.kron(a, np.ones((1, 1, 2, 3))),
        shapes=((1, 2, 3, 2),),
    ),
    Case(
        "upsample_bilinear, corners aligned",
        lambda a: mb.upsample_bilinear(x=a, scale_factor_height=2.5, scale_factor_width=1.0, align_corners=True),
        lambda a: interpolate(a, POINTS["ALIGN_CORNERS"][0], [0, 1, 2]),
        shapes=((1, 2, 2, 3),),
    ),
    Case(
        "upsample_bilinear, centres at halves",
        lambda a: mb.upsample_bilinear(x=a, scale_factor_height=2.5, scale_factor_width=1.0, align_corners=False),
        lambda a: interpolate(a, POINTS["UNALIGN_CORNERS"][0], [0, 1, 2]),
        shapes=((1, 2, 2, 3),),
    ),
    Case(
        "upsample_bilinear, neither",
        lambda a: mb.upsample_bilinear(
            x=a, scale_factor_height=2.5, scale_factor_width=1.0, align_corners=False, half_pixel_centers=False
        ),
        lambda a: interpolate(a, POINTS["DEFAULT"][0], [0, 1, 2]),
        shapes=((1, 2, 2, 3),),
    ),
]


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_operation_agrees_with_its_definition(case: Case, precision: str, tmp_path: Path) -> None:
    check(case, precision, tmp_path)


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize(("height", "width"), [(7, 11), (3, 2), (5, 1)])
def test_bilinear_sizes_are_torchs(align_corners: bool, height: int, width: int, tmp_path: Path) -> None:
    x = np.random.default_rng(3).normal(size=(1, 2, 5, 4)).astype(np.float32)
    mode = "STRICT_ALIGN_CORNERS" if align_corners else "UNALIGN_CORNERS"
    (ours,) = run_program(
        lambda a: mb.resize_bilinear(x=a, target_size_height=height, target_size_width=width, sampling_mode=mode),
        [x],
        tmp_path,
    )
    theirs = F.interpolate(torch.from_numpy(x), (height, width), mode="bilinear", align_corners=align_corners)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def _resample(a: Any, points: Any, **options: Any) -> Any:
    return mb.resample(
        x=a, coordinates=points, padding_value=scalar(0, a), coordinates_mode="normalized_minus_one_to_one", **options
    )


# Points of a 3×3 image from -1 to 1, which are the corner pixels' centres or their outer edges.
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # (x, y): middle, a quarter of the way from the middle to the right, far outside above.
        ({"sampling_mode": "bilinear", "padding_mode": "border", "align_corners": True}, [5.0, 5.5, 2.0]),
        ({"sampling_mode": "bilinear", "padding_mode": "border", "align_corners": False}, [5.0, 5.75, 2.0]),
        ({"sampling_mode": "bilinear", "padding_mode": "constant", "align_corners": True}, [5.0, 5.5, 0.0]),
        ({"sampling_mode": "nearest", "padding_mode": "constant", "align_corners": False}, [5.0, 6.0, 0.0]),
    ],
)
def test_resample_reads_at_points_from_minus_one_to_one(
    options: dict[str, Any], expected: list[float], tmp_path: Path
) -> None:
    x = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3)
    points = np.array([[[[0, 0], [0.5, 0], [0, -5]]]], np.float32)
    (y,) = run_program(lambda a: _resample(a, points, **options), [x], tmp_path)
    np.testing.assert_allclose(y[0, 0, 0], expected, atol=1e-6)
