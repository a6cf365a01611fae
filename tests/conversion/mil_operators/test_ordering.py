"""Running sums and sorting, against NumPy."""

from pathlib import Path

import numpy as np
import pytest
from tests.conversion.mil_operators.cases import Case, check, run_program

from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)


CASES = [
    Case("cumsum", lambda a: mb.cumsum(x=a, axis=1), lambda a: a.cumsum(1)),
    Case(
        "cumsum, exclusive",
        lambda a: mb.cumsum(x=a, axis=2, exclusive=True),
        lambda a: np.concatenate([np.zeros((2, 3, 1)), a.cumsum(2)[..., :-1]], 2),
        coremltools_errs="it takes the data for a type",
    ),
    Case(
        "cumsum, reversed",
        lambda a: mb.cumsum(x=a, axis=-1, reverse=True),
        lambda a: a[..., ::-1].cumsum(-1)[..., ::-1],
    ),
    Case("argsort", lambda a: mb.argsort(x=a, axis=1), lambda a: np.argsort(-a, 1).astype(np.int32)),
    Case("argsort, ascending", lambda a: mb.argsort(x=a, ascending=True), lambda a: np.argsort(a, -1).astype(np.int32)),
    Case(
        "topk",
        lambda a: mb.topk(x=a, k=2, axis=1),
        lambda a: [-np.sort(-a, 1)[:, :2], np.argsort(-a, 1)[:, :2].astype(np.int32)],
    ),
    Case(
        "topk, ascending",
        lambda a: mb.topk(x=a, k=3, axis=-1, ascending=True),
        lambda a: [np.sort(a, -1)[..., :3], np.argsort(a, -1)[..., :3].astype(np.int32)],
    ),
    Case(
        "topk, values alone",
        lambda a: mb.topk(x=a, k=1, axis=0, return_indices=False),
        lambda a: a.max(0, keepdims=True),
        opset="iOS16",
    ),
]


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_operation_agrees_with_its_definition(case: Case, precision: str, tmp_path: Path) -> None:
    check(case, precision, tmp_path)


def test_equal_values_keep_their_order(tmp_path: Path) -> None:
    x = np.array([1, 3, 1, 3, 2], np.float32)
    places, (_, best) = (
        run_program(lambda a: mb.argsort(x=a), [x], tmp_path)[0],
        run_program(lambda a: mb.topk(x=a, k=3), [x], tmp_path),
    )
    np.testing.assert_array_equal(places, [1, 3, 4, 0, 2])
    np.testing.assert_array_equal(best, [1, 3, 4])
