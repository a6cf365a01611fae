"""Element by element, against NumPy and SciPy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.special
from tests.conversion.mil_operators.cases import Array, Case, check, constant, run_program, scalar

from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)


def _one(name: str, expected: Callable[[Array], Any], low: float = -3.0, **options: Any) -> Case:
    return Case(name, lambda a: getattr(mb, name)(x=a), expected, low=low, **options)


def _two(name: str, expected: Callable[[Array, Array], Any], low: float = -3.0, **options: Any) -> Case:
    return Case(
        name, lambda a, b: getattr(mb, name)(x=a, y=b), expected, shapes=((2, 3, 4), (3, 1)), low=low, **options
    )


def _with_constants(name: str, expected: Callable[..., Any], low: float = -3.0, **values: float) -> Case:
    """`expected` receives the constants as the precision rounds them."""

    def build(a: Any) -> Any:
        return getattr(mb, name)(x=a, **{key: scalar(value, a) for key, value in values.items()})

    return Case(f"{name} {values}", build, lambda a: expected(a, **values), low=low)


def _gelu_tanh(a: Array) -> Array:
    return 0.5 * a * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)))


# The constants of these cases are float16 values, so that both precisions see the same number.
CASES = [
    _one("identity", lambda a: a),
    _one("abs", np.abs),
    _one("ceil", np.ceil),
    _one("erf", scipy.special.erf),
    _one("exp", np.exp),
    _one("exp2", np.exp2),
    _one("floor", np.floor),
    _one("relu", lambda a: np.where(a > 0, a, 0.0)),
    _one("relu6", lambda a: np.where(a > 0, np.where(a < 6, a, 6.0), 0.0), high=9.0),
    _one("round", np.rint),
    _one("sigmoid", scipy.special.expit),
    _one("sign", np.sign),
    _one("silu", lambda a: a / (1 + np.exp(-a))),
    _one("softplus", lambda a: np.logaddexp(0, a)),
    _one("softsign", lambda a: a / (1 + np.abs(a))),
    _one("sqrt", np.sqrt, low=0.0),
    _one("acos", np.arccos, low=-0.9, high=0.9),
    _one("asin", np.arcsin, low=-0.9, high=0.9),
    _one("atan", np.arctan),
    _one("atanh", np.arctanh, low=-0.9, high=0.9),
    _one("cos", np.cos),
    _one("cosh", np.cosh),
    _one("sin", np.sin),
    _one("sinh", np.sinh),
    _one("tan", np.tan, low=-1.25, high=1.25),
    _one("square", lambda a: a * a),
    _one("tanh", np.tanh),
    _two("add", lambda a, b: a + b),
    _two("sub", lambda a, b: a - b),
    _two("mul", lambda a, b: a * b),
    _two("real_div", lambda a, b: a / b, low=0.5),
    _two("floor_div", lambda a, b: np.floor(a / b), low=0.5),
    _two("mod", lambda a, b: a - b * np.floor(a / b), low=0.5),
    _two("maximum", np.maximum),
    _two("minimum", np.minimum),
    _two("pow", lambda a, b: a**b, low=0.25),
    _two("equal", lambda a, b: a == b),
    _two("not_equal", lambda a, b: a != b),
    _two("greater", lambda a, b: a > b),
    _two("greater_equal", lambda a, b: a >= b),
    _two("less", lambda a, b: a < b),
    _two("less_equal", lambda a, b: a <= b),
    _with_constants("clip", lambda a, alpha, beta: np.clip(a, alpha, beta), alpha=-0.5, beta=1.25),
    _with_constants("threshold", lambda a, alpha: np.maximum(a, alpha), alpha=0.25),
    _with_constants("leaky_relu", lambda a, alpha: np.where(a >= 0, a, alpha * a), alpha=0.125),
    _with_constants("elu", lambda a, alpha: np.where(a > 0, a, alpha * np.expm1(a)), alpha=1.5),
    _with_constants(
        "clamped_relu",
        lambda a, alpha, beta: np.where(a >= 0, np.minimum(a, beta), np.minimum(alpha * a, beta)),
        alpha=0.25,
        beta=1.5,
    ),
    _with_constants("thresholded_relu", lambda a, alpha: np.where(a >= alpha, a, 0.0), alpha=0.5),
    _with_constants("sigmoid_hard", lambda a, alpha, beta: np.clip(alpha * a + beta, 0, 1), alpha=0.25, beta=0.5),
    _with_constants("linear_activation", lambda a, alpha, beta: alpha * a + beta, alpha=2.5, beta=-0.75),
    _with_constants("scaled_tanh", lambda a, alpha, beta: alpha * np.tanh(beta * a), alpha=1.5, beta=0.5),
    _with_constants("rsqrt", lambda a, epsilon: 1 / np.sqrt(a + epsilon), low=0.1, epsilon=0.125),
    _with_constants("inverse", lambda a, epsilon: 1 / (a + epsilon), low=0.1, epsilon=0.125),
    _with_constants("log", lambda a, epsilon: np.log(a + epsilon), low=0.1, epsilon=0.125),
    Case("gelu exact", lambda a: mb.gelu(x=a, mode="EXACT"), lambda a: 0.5 * a * (1 + scipy.special.erf(a / 2**0.5))),
    Case("gelu tanh", lambda a: mb.gelu(x=a, mode="TANH_APPROXIMATION"), _gelu_tanh),
    Case(
        "gelu sigmoid",
        lambda a: mb.gelu(x=a, mode="SIGMOID_APPROXIMATION"),
        lambda a: a * scipy.special.expit(1.702 * a),
    ),
    Case(
        "prelu",
        lambda a: mb.prelu(x=a, alpha=constant([0.5, 0.25, -1.0], a)),
        lambda a: np.where(a > 0, a, a * np.array([0.5, 0.25, -1.0]).reshape(1, 3, 1, 1)),
        shapes=((2, 3, 4, 2),),
    ),
    Case(
        "softplus_parametric",
        lambda a: mb.softplus_parametric(x=a, alpha=constant([0.5, 1.0, -1.5], a), beta=constant([1.0, 2.0, -0.5], a)),
        lambda a: (
            np.array([0.5, 1.0, -1.5]).reshape(1, 3, 1, 1)
            * np.logaddexp(0, a * np.array([1.0, 2.0, -0.5]).reshape(1, 3, 1, 1))
        ),
        shapes=((2, 3, 4, 2),),
    ),
    Case(
        "logical_xor",
        lambda a, b: mb.logical_xor(x=mb.greater(x=a, y=b), y=mb.less(x=a, y=scalar(1, a))),
        lambda a, b: (a > b) != (a < 1),
        shapes=((2, 3, 4), (2, 3, 4)),
    ),
    Case("softmax", lambda a: mb.softmax(x=a, axis=1), lambda a: scipy.special.softmax(a, axis=1)),
    Case(
        "select",
        lambda a, b: mb.select(cond=mb.greater(x=a, y=b), a=a, b=b),
        lambda a, b: np.where(a > b, a, b),
        shapes=((2, 3, 4), (2, 3, 4)),
    ),
    Case(
        "logical",
        lambda a, b: mb.logical_or(
            x=mb.logical_and(x=mb.greater(x=a, y=b), y=mb.less(x=a, y=scalar(1, a))),
            y=mb.logical_not(x=mb.greater(x=a, y=scalar(-1, a))),
        ),
        lambda a, b: ((a > b) & (a < 1)) | ~(a > -1),
        shapes=((2, 3, 4), (2, 3, 4)),
    ),
    Case("cast to int32", lambda a: mb.cast(x=a, dtype="int32"), lambda a: np.trunc(a).astype(np.int32)),
    Case("cast to bool", lambda a: mb.cast(x=mb.floor(x=a), dtype="bool"), lambda a: np.floor(a) != 0),
]


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_operation_agrees_with_its_definition(case: Case, precision: str, tmp_path: Path) -> None:
    check(case, precision, tmp_path)


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    a, b = np.array([[7, -7, 9], [5, -5, 4]], np.int32), np.array([[2, 2, 4], [-2, -2, 2]], np.int32)
    total, floored, rest = run_program(
        lambda a, b: (mb.add(x=a, y=b), mb.floor_div(x=a, y=b), mb.mod(x=a, y=b)), [a, b], tmp_path
    )
    assert total.dtype == floored.dtype == rest.dtype == np.int32
    np.testing.assert_array_equal(total, [[9, -5, 13], [3, -7, 6]])
    np.testing.assert_array_equal(floored, [[3, -4, 2], [-3, 2, 2]])
    np.testing.assert_array_equal(rest, [[1, 1, 1], [-1, -1, 0]])


def test_values_on_a_boundary(tmp_path: Path) -> None:
    kept, sign, even = run_program(
        lambda a: (mb.thresholded_relu(x=a, alpha=np.float32(0.5)), mb.sign(x=a), mb.round(x=a)),
        [np.array([0.5, 0.25, 0, -0.5, 1.5, 2.5], np.float32)],
        tmp_path,
    )
    np.testing.assert_array_equal(kept, [0.5, 0, 0, 0, 1.5, 2.5])
    np.testing.assert_array_equal(sign, [1, 1, 0, -1, 1, 1])
    np.testing.assert_array_equal(even, [0, 0, 0, 0, 2, 2])
