"""Values out of shapes and numbers, against NumPy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conversion.mil_operators.cases import Case, check, run_program, scalar

from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)
    from coremltools.converters.mil.mil import types


def _name(like: Any) -> str:
    return "fp16" if like.dtype == types.fp16 else "fp32"


CASES = [
    Case(
        "fill",
        lambda a: mb.add(x=a, y=mb.fill(shape=[3, 4], value=scalar(0.5, a))),
        lambda a: a + np.full((3, 4), 0.5),
    ),
    Case(
        "fill_like",
        lambda a: mb.add(x=a, y=mb.cast(x=mb.fill_like(ref_tensor=a, value=np.float32(2.5)), dtype=_name(a))),
        lambda a: a + 2.5,
    ),
    Case("shape", lambda a: mb.shape(x=mb.transpose(x=a, perm=[2, 0, 1])), lambda _: np.array([4, 2, 3], np.int32)),
]


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_operation_agrees_with_its_definition(case: Case, precision: str, tmp_path: Path) -> None:
    check(case, precision, tmp_path)


def test_one_hot_vectors_lie_along_their_axis(tmp_path: Path) -> None:
    places = np.array([2, 0, 5], np.int32)
    rows, columns = run_program(
        lambda a: (
            mb.one_hot(indices=a, one_hot_vector_size=4),
            mb.one_hot(indices=a, one_hot_vector_size=4, axis=0, on_value=np.float32(0.5), off_value=np.float32(-1)),
        ),
        [places],
        tmp_path,
    )
    assert rows.dtype == np.int32
    np.testing.assert_array_equal(rows, [[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(columns, [[-1, 0.5, -1], [-1, -1, -1], [0.5, -1, -1], [-1, -1, -1]])


def test_a_range_ends_before_its_end(tmp_path: Path) -> None:
    (y,) = run_program(
        lambda a: mb.add(x=a, y=mb.range_1d(start=np.float32(1), end=np.float32(2.9), step=np.float32(0.5))),
        [np.zeros(4, np.float32)],
        tmp_path,
    )
    np.testing.assert_array_equal(y, [1, 1.5, 2, 2.5])
