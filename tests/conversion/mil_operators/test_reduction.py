"""Reductions and normalizations, against NumPy."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conversion.mil_operators.cases import Array, Case, check, constant, scalar

from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)


def _reduction(name: str, expected: Callable[[Array, tuple[int, ...], bool], Any], low: float = -3.0) -> Iterator[Case]:
    for axes, keep in (((-2, -1), True), ((1,), False)):
        yield Case(
            f"{name} over {axes}",
            lambda a, axes=axes, keep=keep: getattr(mb, name)(x=a, axes=axes, keep_dims=keep),
            lambda a, axes=axes, keep=keep: expected(a, axes, keep),
            shapes=((2, 3, 4, 5),),
            low=low,
        )


def _batch_norm(a: Array) -> Array:
    mean, variance, gamma, beta = (v.reshape(1, 3, 1, 1) for v in _STATISTICS)
    return (a - mean) / np.sqrt(variance + 0.125) * gamma + beta


def _local_response_norm(a: Array) -> Array:
    """The mean is over three channels, also where one of them lies outside and counts as zero."""
    squares = np.pad(a * a, [(0, 0), (1, 1), (0, 0), (0, 0)])
    means = (squares[:, :-2] + squares[:, 1:-1] + squares[:, 2:]) / 3
    return a / np.sqrt(2.0 + 0.75 * means)


_STATISTICS = [np.array(v) for v in ([0.5, -1.0, 0.25], [1.0, 0.5, 2.0], [1.5, -0.5, 1.0], [0.0, 0.25, -2.0])]

CASES = [
    *_reduction("reduce_mean", lambda a, axes, keep: a.mean(axes, keepdims=keep)),
    *_reduction("reduce_sum", lambda a, axes, keep: a.sum(axes, keepdims=keep)),
    *_reduction("reduce_max", lambda a, axes, keep: a.max(axes, keepdims=keep)),
    *_reduction("reduce_min", lambda a, axes, keep: a.min(axes, keepdims=keep)),
    *_reduction("reduce_l1_norm", lambda a, axes, keep: np.abs(a).sum(axes, keepdims=keep)),
    *_reduction("reduce_l2_norm", lambda a, axes, keep: np.sqrt((a * a).sum(axes, keepdims=keep))),
    *_reduction("reduce_sum_square", lambda a, axes, keep: (a * a).sum(axes, keepdims=keep)),
    *_reduction("reduce_prod", lambda a, axes, keep: a.prod(axes, keepdims=keep)),
    *_reduction("reduce_log_sum", lambda a, axes, keep: np.log(a.sum(axes, keepdims=keep)), low=0.25),
    *_reduction("reduce_log_sum_exp", lambda a, axes, keep: np.log(np.exp(a).sum(axes, keepdims=keep))),
    Case(
        "l2_norm",
        lambda a: mb.l2_norm(x=a, epsilon=scalar(0.125, a)),
        lambda a: a / np.sqrt((a * a).sum((1, 2, 3), keepdims=True) + 0.125),
        shapes=((2, 3, 4, 5),),
    ),
    Case(
        "local_response_norm",
        lambda a: mb.local_response_norm(x=a, size=3, alpha=scalar(0.75, a), beta=scalar(0.5, a), k=scalar(2.0, a)),
        _local_response_norm,
        shapes=((2, 5, 3, 2),),
    ),
    Case("reduce_sum over all", lambda a: mb.reduce_sum(x=a, keep_dims=True), lambda a: a.sum(keepdims=True)),
    Case("reduce_argmax", lambda a: mb.reduce_argmax(x=a, axis=1), lambda a: a.argmax(1).astype(np.int32)),
    Case("reduce_argmin", lambda a: mb.reduce_argmin(x=a, axis=-1), lambda a: a.argmin(-1).astype(np.int32)),
    Case(
        "batch_norm",
        lambda a: mb.batch_norm(
            x=a,
            epsilon=scalar(0.125, a),
            **dict(zip(("mean", "variance", "gamma", "beta"), (constant(v, a) for v in _STATISTICS), strict=True)),
        ),
        _batch_norm,
        shapes=((2, 3, 4, 5),),
    ),
    Case(
        "instance_norm",
        lambda a: mb.instance_norm(
            x=a, gamma=constant(_STATISTICS[2], a), beta=constant(_STATISTICS[3], a), epsilon=scalar(0.125, a)
        ),
        lambda a: (
            (a - a.mean((2, 3), keepdims=True))
            / np.sqrt(a.var((2, 3), keepdims=True) + 0.125)
            * _STATISTICS[2].reshape(1, 3, 1, 1)
            + _STATISTICS[3].reshape(1, 3, 1, 1)
        ),
        shapes=((2, 3, 4, 5),),
    ),
    Case(
        "layer_norm",
        lambda a: mb.layer_norm(
            x=a,
            axes=[1],
            gamma=constant(_STATISTICS[2], a),
            beta=constant(_STATISTICS[3], a),
            epsilon=scalar(0.125, a),
        ),
        lambda a: (
            (a - a.mean(1, keepdims=True)) / np.sqrt(a.var(1, keepdims=True) + 0.125) * _STATISTICS[2].reshape(1, 3, 1)
            + _STATISTICS[3].reshape(1, 3, 1)
        ),
        shapes=((2, 3, 5),),
    ),
]


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_operation_agrees_with_its_definition(case: Case, precision: str, tmp_path: Path) -> None:
    check(case, precision, tmp_path)
