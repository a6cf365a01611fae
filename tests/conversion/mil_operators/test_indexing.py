"""Reading and writing where indices say, against NumPy's own indexing."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conversion.mil_operators.cases import Array, Case, check

from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)


_UPDATES: dict[str, Callable[[Any, Any], Any]] = {
    "update": lambda _, new: new,
    "add": lambda old, new: old + new,
    "sub": lambda old, new: old - new,
    "mul": lambda old, new: old * new,
    "max": max,
    "min": min,
}
ROWS = np.array([2, 0, -1], np.int32)
"""The last row twice, but for updates, whose order nobody knows."""


def _scatter(a: Array, b: Array, rows: Array, mode: str) -> Array:
    """Row i of `b` is put into row rows[i] of `a`, for the first axis."""
    result = a.copy()
    for i, *rest in itertools.product(*map(range, b.shape)):
        place = (rows[i], *rest)
        result[place] = _UPDATES[mode](result[place], b[(i, *rest)])
    return result


def _scatter_along(a: Array, b: Array, places: Array, mode: str) -> Array:
    """Each element of `b` is put into its own column of `a`, along the last axis."""
    result = a.copy()
    for i, j in itertools.product(*map(range, b.shape)):
        result[i, places[i, j]] = _UPDATES[mode](result[i, places[i, j]], b[i, j])
    return result


def _scatters(mode: str) -> list[Case]:
    rows = ROWS[:2] if mode == "update" else ROWS
    columns = np.array([[3, 0], [1, -1]] if mode == "update" else [[3, -1], [1, 1]], np.int32)
    return [
        Case(
            f"scatter {mode}",
            lambda a, b: mb.scatter(data=a, indices=rows, updates=b, axis=0, mode=mode),
            lambda a, b: _scatter(a, b, rows, mode),
            shapes=((3, 2, 4), (len(rows), 2, 4)),
            opset="iOS17",
        ),
        Case(
            f"scatter {mode} in the middle",
            lambda a, b: mb.scatter(data=a, indices=rows, updates=b, axis=1, mode=mode),
            lambda a, b: _scatter(a.swapaxes(0, 1), b.swapaxes(0, 1), rows, mode).swapaxes(0, 1),
            shapes=((2, 3, 4), (2, len(rows), 4)),
            opset="iOS17",
        ),
        Case(
            f"scatter_along_axis {mode}",
            lambda a, b: mb.scatter_along_axis(data=a, indices=columns, updates=b, axis=1, mode=mode),
            lambda a, b: _scatter_along(a, b, columns, mode),
            shapes=((2, 4), (2, 2)),
            opset="iOS17",
            coremltools_errs="of updates to one place it counts the last",
        ),
        Case(
            f"scatter_nd {mode}",
            lambda a, b: mb.scatter_nd(data=a, indices=np.array([[1, 2], [0, -1]], np.int32), updates=b, mode=mode),
            lambda a, b: _scatter(a.reshape(6, 4), b, np.array([5, 2]), mode).reshape(2, 3, 4),
            shapes=((2, 3, 4), (2, 4)),
            opset="iOS17",
        ),
    ]


CASES = [
    Case("gather", lambda a: mb.gather(x=a, indices=[2, 0, -1], axis=1), lambda a: a[:, [2, 0, 2]]),
    Case(
        "gather, by a table",
        lambda a: mb.gather(x=a, indices=[[2, 0], [1, 1]], axis=-1),
        lambda a: a[..., [[2, 0], [1, 1]]],
    ),
    Case("gather one", lambda a: mb.gather(x=a, indices=np.int32(2), axis=1), lambda a: a[:, 2]),
    Case(
        "gather, each of a batch its own",
        lambda a: mb.gather(x=a, indices=np.array([[2, 0], [1, 1]], np.int32), axis=1, batch_dims=1),
        lambda a: np.stack([a[0][[2, 0]], a[1][[1, 1]]]),
        opset="iOS17",
    ),
    Case(
        "gather_along_axis",
        lambda a: mb.gather_along_axis(x=a, indices=np.array([[2, 0, -1], [1, 1, 0]], np.int32), axis=0),
        lambda a: np.take_along_axis(a, np.array([[2, 0, -1], [1, 1, 0]]), 0),
        shapes=((3, 3),),
    ),
    Case(
        "gather_nd",
        lambda a: mb.gather_nd(x=a, indices=np.array([[1, 2], [0, -1]], np.int32)),
        lambda a: np.stack([a[1, 2], a[0, -1]]),
    ),
    Case(
        "gather_nd, each of a batch its own",
        lambda a: mb.gather_nd(x=a, indices=np.array([[[1, 2]], [[0, -1]]], np.int32), batch_dims=1),
        lambda a: np.array([[a[0, 1, 2]], [a[1, 0, -1]]]),
        opset="iOS17",
    ),
    *(case for mode in _UPDATES for case in _scatters(mode)),
]


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_operation_agrees_with_its_definition(case: Case, precision: str, tmp_path: Path) -> None:
    check(case, precision, tmp_path)
