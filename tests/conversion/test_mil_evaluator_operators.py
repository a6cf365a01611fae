"""Each operation that the evaluator knows, against NumPy loops, SciPy or a hand-worked case.

A case is a tiny program built with coremltools' own builder, saved as a package and read back. The references compute
in float64 and share no code with the evaluator; a float16 result may differ from theirs by one float16 step.
"""

import dataclasses
import gc
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.special
from numpy.typing import NDArray

from mobiconvert.mil_evaluator import evaluate, load_mil_program
from mobiconvert.mil_evaluator.operators import OPERATORS
from mobiconvert.quiet import quiet_imports

with quiet_imports():
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)
    from coremltools.converters.mil.mil import types

gc.freeze()  # `ct.convert` collects garbage, over all of coremltools' own objects: 0.6 s a program otherwise

Array = NDArray[Any]
Build = Callable[..., Any]

_MIL_TYPES = {"float32": types.fp32, "float16": types.fp16, "int32": types.int32, "bool": types.bool}
_OPSETS = {"iOS15": ct.target.iOS15, "iOS16": ct.target.iOS16, "iOS17": ct.target.iOS17}


def run_program(build: Build, inputs: Sequence[Array], folder: Path, opset: str = "iOS16") -> list[Array]:
    """What the evaluator makes of a saved program whose inputs are a, b …"""
    names = "abcdef"[: len(inputs)]
    specs = [mb.TensorSpec(shape=array.shape, dtype=_MIL_TYPES[str(array.dtype)]) for array in inputs]
    arguments = ", ".join(names)
    scope = {"build": build}
    exec(f"def program({arguments}): return build({arguments})", scope)  # noqa: S102  (mb reads the parameters' names)
    program = mb.program(input_specs=specs, opset_version=_OPSETS[opset])(scope["program"])
    with quiet_imports():
        ct.convert(
            program,
            convert_to="mlprogram",
            pass_pipeline=ct.PassPipeline.EMPTY,
            minimum_deployment_target=_OPSETS[opset],
            skip_model_load=True,
        ).save(str(folder / "case.mlpackage"))
    loaded = load_mil_program(folder / "case.mlpackage")
    outputs = evaluate(loaded, dict(zip(names, inputs, strict=True)))
    return [outputs[name] for name, _ in loaded.outputs]


@dataclasses.dataclass(frozen=True)
class Case:
    """`build` makes MIL out of MIL variables, `expected` the same out of float64 arrays."""

    label: str
    build: Build
    expected: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...] = ((2, 3, 4),)
    low: float = -3.0
    high: float = 3.0
    opset: str = "iOS16"


def _inputs(case: Case, precision: str) -> list[Array]:
    random = np.random.default_rng(7)
    return [random.uniform(case.low, case.high, shape).astype(precision) for shape in case.shapes]


def _check(case: Case, precision: str, folder: Path) -> None:
    inputs = _inputs(case, precision)
    actual = run_program(case.build, inputs, folder, case.opset)
    expected = case.expected(*(array.astype(np.float64) for array in inputs))
    expected = list(expected) if isinstance(expected, tuple | list) else [expected]
    assert len(actual) == len(expected)
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours.shape == theirs.shape
        if theirs.dtype == np.float64:
            assert str(ours.dtype) == precision
            scale = max(1.0, float(np.abs(theirs).max()))
            if precision == "float32":
                np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=2e-6 * scale)
            else:
                rounded = theirs.astype(np.float16)
                step = np.spacing(np.abs(rounded)).astype(np.float64)
                assert np.all(np.abs(ours.astype(np.float64) - rounded) <= np.maximum(step, 2e-6 * scale))
        else:
            np.testing.assert_array_equal(ours, theirs)


# --- element by element ------------------------------------------------------------------------------------------


def _constant(array: Any, like: Any) -> Any:
    """A constant in the precision of the MIL variable `like`."""
    return np.asarray(array, dtype=types.nptype_from_builtin(like.dtype))


def _scalar(value: float, like: Any) -> Any:
    return types.nptype_from_builtin(like.dtype)(value)


def _one(name: str, expected: Callable[[Array], Any], low: float = -3.0, **options: Any) -> Case:
    return Case(name, lambda a: getattr(mb, name)(x=a), expected, low=low, **options)


def _two(name: str, expected: Callable[[Array, Array], Any], low: float = -3.0, **options: Any) -> Case:
    return Case(
        name, lambda a, b: getattr(mb, name)(x=a, y=b), expected, shapes=((2, 3, 4), (3, 1)), low=low, **options
    )


def _with_constants(name: str, expected: Callable[..., Any], low: float = -3.0, **values: float) -> Case:
    """`expected` receives the constants as the precision rounds them."""

    def build(a: Any) -> Any:
        return getattr(mb, name)(x=a, **{key: _scalar(value, a) for key, value in values.items()})

    return Case(f"{name} {values}", build, lambda a: expected(a, **values), low=low)


def _gelu_tanh(a: Array) -> Array:
    return 0.5 * a * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)))


# The constants of these cases are float16 values, so that both precisions see the same number.
ELEMENTWISE = [
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
        lambda a: mb.prelu(x=a, alpha=_constant([0.5, 0.25, -1.0], a)),
        lambda a: np.where(a > 0, a, a * np.array([0.5, 0.25, -1.0]).reshape(1, 3, 1, 1)),
        shapes=((2, 3, 4, 2),),
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
            x=mb.logical_and(x=mb.greater(x=a, y=b), y=mb.less(x=a, y=_scalar(1, a))),
            y=mb.logical_not(x=mb.greater(x=a, y=_scalar(-1, a))),
        ),
        lambda a, b: ((a > b) & (a < 1)) | ~(a > -1),
        shapes=((2, 3, 4), (2, 3, 4)),
    ),
    Case("cast to int32", lambda a: mb.cast(x=a, dtype="int32"), lambda a: np.trunc(a).astype(np.int32)),
    Case("cast to bool", lambda a: mb.cast(x=mb.floor(x=a), dtype="bool"), lambda a: np.floor(a) != 0),
]

# --- convolutions and products ------------------------------------------------------------------------------------


def convolve_by_loops(
    x: Array,
    weight: Array,
    bias: Array,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> Array:
    """Cross-correlation by its definition, for any number of spatial dimensions; `pads` are before, after, before …"""
    spatial = len(strides)
    padded = np.pad(x, [(0, 0), (0, 0), *((pads[2 * i], pads[2 * i + 1]) for i in range(spatial))])
    kernel = weight.shape[2:]
    sizes = [(padded.shape[2 + i] - (kernel[i] - 1) * dilations[i] - 1) // strides[i] + 1 for i in range(spatial)]
    out = np.zeros((x.shape[0], weight.shape[0], *sizes))
    per_group_out, per_group_in = weight.shape[0] // groups, weight.shape[1]
    for image, channel in itertools.product(range(x.shape[0]), range(weight.shape[0])):
        first = channel // per_group_out * per_group_in
        for place in itertools.product(*map(range, sizes)):
            total = bias[channel]
            for source, taps in itertools.product(range(per_group_in), itertools.product(*map(range, kernel))):
                where = tuple(place[i] * strides[i] + taps[i] * dilations[i] for i in range(spatial))
                total += padded[(image, first + source, *where)] * weight[(channel, source, *taps)]
            out[(image, channel, *place)] = total
    return out


def _sixteenths(*shape: int) -> Array:
    """Weights that float16 has exactly."""
    return np.random.default_rng(11).integers(-16, 17, shape) / 16


def _conv(
    label: str,
    x: tuple[int, ...],
    weight: tuple[int, ...],
    pads: Sequence[int],
    *,
    pad_type: str = "custom",
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    groups: int = 1,
    bias: bool = True,
) -> Case:
    """`pads` are the amounts that `pad_type` stands for, worked out by hand."""
    spatial = len(x) - 2
    kernel, offsets = _sixteenths(*weight), _sixteenths(weight[0]) if bias else np.zeros(weight[0])
    strides, dilations = strides or [1] * spatial, dilations or [1] * spatial

    def build(a: Any) -> Any:
        optional = {"bias": _constant(offsets, a)} if bias else {}
        optional |= {"pad": list(pads)} if pad_type == "custom" else {}
        return mb.conv(
            x=a,
            weight=_constant(kernel, a),
            pad_type=pad_type,
            strides=strides,
            dilations=dilations,
            groups=groups,
            **optional,
        )

    return Case(
        f"conv {label}",
        build,
        lambda a: convolve_by_loops(a, kernel, offsets, strides, pads, dilations, groups),
        shapes=(x,),
    )


PRODUCTS = [
    _conv("valid", (2, 3, 6, 5), (4, 3, 3, 2), [0, 0, 0, 0], pad_type="valid"),
    _conv("without bias", (1, 3, 6, 5), (4, 3, 3, 3), [1, 1, 1, 1], bias=False),
    _conv("uneven custom padding", (1, 2, 5, 6), (3, 2, 3, 3), [0, 1, 2, 1]),
    _conv("stride 2", (1, 3, 8, 8), (4, 3, 3, 3), [1, 1, 1, 1], strides=[2, 2]),
    _conv("depthwise", (1, 6, 7, 7), (6, 1, 3, 3), [1, 1, 1, 1], groups=6, strides=[2, 2]),
    _conv("two groups", (1, 4, 5, 5), (6, 2, 3, 3), [1, 1, 1, 1], groups=2),
    _conv("pointwise", (1, 8, 4, 4), (5, 8, 1, 1), [0, 0, 0, 0], pad_type="valid"),
    _conv("row", (1, 3, 5, 9), (2, 3, 1, 7), [0, 0, 3, 3]),
    _conv("dilated", (1, 2, 9, 9), (3, 2, 3, 3), [2, 2, 2, 2], dilations=[2, 2]),
    # 7 → ceil(7/2) = 4 outputs take (4-1)·2+4-7 = 3 elements; 6 → 3 take (3-1)·2+4-6 = 2.
    _conv("same", (1, 2, 7, 6), (3, 2, 4, 4), [1, 2, 1, 1], pad_type="same", strides=[2, 2]),
    _conv("same_lower", (1, 2, 7, 6), (3, 2, 4, 4), [2, 1, 1, 1], pad_type="same_lower", strides=[2, 2]),
    # A dilated window of 5: 4 elements at stride 1.
    _conv("same, dilated", (1, 2, 7, 6), (3, 2, 3, 3), [2, 2, 2, 2], pad_type="same", dilations=[2, 2]),
    # One output a stride of 3 from 7 elements, window 1: no padding could be negative.
    _conv(
        "same, window smaller than stride", (1, 2, 7, 7), (3, 2, 1, 1), [0, 0, 0, 0], pad_type="same", strides=[3, 3]
    ),
    _conv("1-D", (2, 3, 9), (4, 3, 3), [1, 1], strides=[2]),
    _conv("3-D", (1, 2, 4, 4, 3), (3, 2, 2, 3, 1), [0, 1, 1, 1, 0, 0]),
    Case(
        "linear",
        lambda a: mb.linear(x=a, weight=_constant(_sixteenths(5, 7), a), bias=_constant(_sixteenths(5), a)),
        lambda a: np.einsum("nc,kc->nk", a, _sixteenths(5, 7)) + _sixteenths(5),
        shapes=((3, 7),),
    ),
    Case(
        "linear without bias",
        lambda a: mb.linear(x=a, weight=_constant(_sixteenths(5, 7), a)),
        lambda a: np.einsum("nmc,kc->nmk", a, _sixteenths(5, 7)),
        shapes=((2, 3, 7),),
    ),
    Case(
        "matmul",
        lambda a, b: mb.matmul(x=a, y=b),
        lambda a, b: np.einsum("bij,bjk->bik", a, b),
        shapes=((2, 3, 4), (2, 4, 5)),
    ),
    Case(
        "matmul, both transposed",
        lambda a, b: mb.matmul(x=a, y=b, transpose_x=True, transpose_y=True),
        lambda a, b: np.einsum("bji,bkj->bik", a, b),
        shapes=((2, 4, 3), (2, 5, 4)),
    ),
]

# --- pools --------------------------------------------------------------------------------------------------------


def pool_by_loops(
    x: Array, kind: str, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int], sizes: Sequence[int]
) -> Array:
    """Pools to `sizes`: the largest element, the mean with padding ("mean") or of x's own elements ("own mean").

    A window that runs past the padding (ceil_mode) is cut there, as in torch.
    """
    spatial = len(kernel)
    out = np.zeros((*x.shape[:2], *sizes))
    for image, channel in itertools.product(*map(range, x.shape[:2])):
        for place in itertools.product(*map(range, sizes)):
            values, divisor = [], 0
            for taps in itertools.product(*map(range, kernel)):
                where = [place[i] * strides[i] + taps[i] - pads[2 * i] for i in range(spatial)]
                if all(0 <= where[i] < x.shape[2 + i] for i in range(spatial)):
                    values.append(x[(image, channel, *where)])
                    divisor += 1
                elif kind == "mean" and all(where[i] < x.shape[2 + i] + pads[2 * i + 1] for i in range(spatial)):
                    divisor += 1
            out[(image, channel, *place)] = max(values) if kind == "max" else sum(values) / divisor
    return out


def _pools(
    label: str,
    size: tuple[int, ...],
    kernel: Sequence[int],
    pads: Sequence[int],
    sizes: Sequence[int],
    *,
    pad_type: str = "custom",
    strides: Sequence[int] | None = None,
    ceil_mode: bool = False,
) -> Iterator[Case]:
    """The three pools; `pads` and `sizes` are what the options stand for, worked out by hand."""
    strides = strides or [1] * len(kernel)
    options: dict[str, Any] = {"kernel_sizes": kernel, "pad_type": pad_type, "strides": strides, "ceil_mode": ceil_mode}
    options |= {"pad": list(pads)} if pad_type == "custom" else {}
    builds: dict[str, Build] = {
        "max": lambda a: mb.max_pool(x=a, **options),
        "mean": lambda a: mb.avg_pool(x=a, **options),
        "own mean": lambda a: mb.avg_pool(x=a, exclude_padding_from_average=True, **options),
    }
    for kind, build in builds.items():
        yield Case(
            f"pool {kind} {label}",
            build,
            lambda a, kind=kind: pool_by_loops(a, kind, kernel, strides, pads, sizes),
            shapes=((1, 2, *size),),
        )


POOLS = [
    *_pools("valid", (7, 6), [3, 2], [0, 0, 0, 0], [5, 5], pad_type="valid"),
    *_pools("padded", (7, 7), [3, 3], [1, 1, 1, 1], [4, 4], strides=[2, 2]),
    *_pools("unevenly padded", (6, 6), [3, 3], [0, 1, 1, 0], [5, 5]),
    # 8 elements, window 3, stride 2: floor(5/2)+1 = 3, ceil(5/2)+1 = 4; the last window has 2 elements.
    *_pools("ceil", (8, 8), [3, 3], [0, 0, 0, 0], [4, 4], strides=[2, 2], ceil_mode=True),
    # 6 padded to 8, window 3, stride 2: a fourth window would start at 6 and end in the void.
    *_pools("ceil, padded", (6, 6), [3, 3], [1, 1, 1, 1], [4, 4], strides=[2, 2], ceil_mode=True),
    # 5 padded to 7, window 2, stride 2: ceil(5/2)+1 = 4, and the fourth starts at 6 ≥ 5+1, so it is dropped.
    *_pools("ceil, padded, last window dropped", (5, 5), [2, 2], [1, 1, 1, 1], [3, 3], strides=[2, 2], ceil_mode=True),
    # 7 → 4 outputs take (4-1)·2+2-7 = 1 element.
    *_pools("same", (7, 7), [2, 2], [0, 1, 0, 1], [4, 4], strides=[2, 2], pad_type="same"),
    *_pools("same_lower", (7, 7), [2, 2], [1, 0, 1, 0], [4, 4], strides=[2, 2], pad_type="same_lower"),
    *_pools("1-D", (9,), [3], [1, 1], [5], strides=[2]),
    *_pools("3-D", (4, 3, 4), [2, 3, 2], [0, 0, 1, 1, 0, 0], [3, 3, 2], strides=[1, 1, 2]),
]

# --- reductions and normalizations --------------------------------------------------------------------------------


def _reduction(name: str, expected: Callable[[Array, tuple[int, ...], bool], Any]) -> Iterator[Case]:
    for axes, keep in (((-2, -1), True), ((1,), False)):
        yield Case(
            f"{name} over {axes}",
            lambda a, axes=axes, keep=keep: getattr(mb, name)(x=a, axes=axes, keep_dims=keep),
            lambda a, axes=axes, keep=keep: expected(a, axes, keep),
            shapes=((2, 3, 4, 5),),
        )


def _batch_norm(a: Array) -> Array:
    mean, variance, gamma, beta = (v.reshape(1, 3, 1, 1) for v in _STATISTICS)
    return (a - mean) / np.sqrt(variance + 0.125) * gamma + beta


_STATISTICS = [np.array(v) for v in ([0.5, -1.0, 0.25], [1.0, 0.5, 2.0], [1.5, -0.5, 1.0], [0.0, 0.25, -2.0])]

REDUCTIONS = [
    *_reduction("reduce_mean", lambda a, axes, keep: a.mean(axes, keepdims=keep)),
    *_reduction("reduce_sum", lambda a, axes, keep: a.sum(axes, keepdims=keep)),
    *_reduction("reduce_max", lambda a, axes, keep: a.max(axes, keepdims=keep)),
    *_reduction("reduce_min", lambda a, axes, keep: a.min(axes, keepdims=keep)),
    *_reduction("reduce_l1_norm", lambda a, axes, keep: np.abs(a).sum(axes, keepdims=keep)),
    *_reduction("reduce_l2_norm", lambda a, axes, keep: np.sqrt((a * a).sum(axes, keepdims=keep))),
    *_reduction("reduce_sum_square", lambda a, axes, keep: (a * a).sum(axes, keepdims=keep)),
    Case("reduce_sum over all", lambda a: mb.reduce_sum(x=a, keep_dims=True), lambda a: a.sum(keepdims=True)),
    Case("reduce_argmax", lambda a: mb.reduce_argmax(x=a, axis=1), lambda a: a.argmax(1).astype(np.int32)),
    Case("reduce_argmin", lambda a: mb.reduce_argmin(x=a, axis=-1), lambda a: a.argmin(-1).astype(np.int32)),
    Case(
        "batch_norm",
        lambda a: mb.batch_norm(
            x=a,
            epsilon=_scalar(0.125, a),
            **dict(zip(("mean", "variance", "gamma", "beta"), (_constant(v, a) for v in _STATISTICS), strict=True)),
        ),
        _batch_norm,
        shapes=((2, 3, 4, 5),),
    ),
    Case(
        "instance_norm",
        lambda a: mb.instance_norm(
            x=a, gamma=_constant(_STATISTICS[2], a), beta=_constant(_STATISTICS[3], a), epsilon=_scalar(0.125, a)
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
            gamma=_constant(_STATISTICS[2], a),
            beta=_constant(_STATISTICS[3], a),
            epsilon=_scalar(0.125, a),
        ),
        lambda a: (
            (a - a.mean(1, keepdims=True)) / np.sqrt(a.var(1, keepdims=True) + 0.125) * _STATISTICS[2].reshape(1, 3, 1)
            + _STATISTICS[3].reshape(1, 3, 1)
        ),
        shapes=((2, 3, 5),),
    ),
]

# --- moving values ------------------------------------------------------------------------------------------------

SHAPING = [
    Case("reshape", lambda a: mb.reshape(x=a, shape=[0, -1, 2]), lambda a: a.reshape(2, 6, 2)),
    Case("transpose", lambda a: mb.transpose(x=a, perm=[2, 0, 1]), lambda a: a.transpose(2, 0, 1)),
    Case("squeeze", lambda a: mb.squeeze(x=a, axes=[1]), lambda a: a[:, 0], shapes=((2, 1, 3, 1),)),
    Case("squeeze all", lambda a: mb.squeeze(x=a), lambda a: a[:, 0, :, 0], shapes=((2, 1, 3, 1),)),
    Case("expand_dims", lambda a: mb.expand_dims(x=a, axes=[0, -1]), lambda a: a[None, ..., None]),
    Case(
        "concat",
        lambda a, b: mb.concat(values=[a, b, a], axis=1),
        lambda a, b: np.concatenate([a, b, a], 1),
        shapes=((2, 3, 4), (2, 1, 4)),
    ),
    Case(
        "concat, interleaved",
        lambda a, b: mb.concat(values=[a, b], axis=0, interleave=True),
        lambda a, b: np.array([a[0], b[0], a[1], b[1], a[2], b[2]]),
        shapes=((3, 2), (3, 2)),
    ),
    Case(
        "concat with a constant",
        lambda a: mb.concat(values=[a, _constant(np.ones((2, 1)), a)], axis=-1),
        lambda a: np.concatenate([a, np.ones((2, 1))], -1),
        shapes=((2, 3),),
    ),
    Case("stack", lambda a: mb.stack(values=[a, a], axis=1), lambda a: np.stack([a, a], 1)),
    Case("split in two", lambda a: mb.split(x=a, num_splits=2, axis=2), lambda a: [a[..., :2], a[..., 2:]]),
    Case("split by sizes", lambda a: mb.split(x=a, split_sizes=[1, 2], axis=1), lambda a: [a[:, :1], a[:, 1:]]),
    Case(
        "slice_by_index",
        lambda a: mb.slice_by_index(x=a, begin=[0, -2, 1], end=[2, 3, 4], stride=[1, 1, 2]),
        lambda a: a[0:2, -2:3, 1:4:2],
    ),
    Case(
        "slice_by_index, masked",
        lambda a: mb.slice_by_index(
            x=a,
            begin=[1, 5, 9],
            end=[9, 2, 0],
            stride=[1, 1, -1],
            begin_mask=[False, True, True],
            end_mask=[False, False, True],
            squeeze_mask=[True, False, False],
        ),
        lambda a: a[1, :2, ::-1],
    ),
    Case(
        "slice_by_size",
        lambda a: mb.slice_by_size(x=a, begin=[0, 1, -2], size=[1, -1, 2]),
        lambda a: a[0:1, 1:, 2:4],
    ),
    Case(
        "pad",
        lambda a: mb.pad(x=a, pad=[0, 1, 2, 0], mode="constant", constant_val=_scalar(0.5, a)),
        lambda a: np.pad(a, [(0, 0), (0, 1), (2, 0)], constant_values=0.5),
    ),
    Case(
        "pad, reflected",
        lambda a: mb.pad(x=a, pad=[1, 2, 3, 0], mode="reflect"),
        lambda a: np.pad(a, [(0, 0), (1, 2), (3, 0)], mode="reflect"),
    ),
    Case(
        "pad, replicated",
        lambda a: mb.pad(x=a, pad=[1, 2, 3, 0], mode="replicate"),
        lambda a: np.pad(a, [(0, 0), (1, 2), (3, 0)], mode="edge"),
    ),
    Case("tile", lambda a: mb.tile(x=a, reps=[2, 1, 3]), lambda a: np.tile(a, (2, 1, 3))),
    Case("reverse", lambda a: mb.reverse(x=a, axes=[0, 2]), lambda a: a[::-1, :, ::-1]),
    Case("reverse all", lambda a: mb.reverse(x=a), lambda a: a[::-1, ::-1, ::-1]),
    Case("gather", lambda a: mb.gather(x=a, indices=[2, 0, -1], axis=1), lambda a: a[:, [2, 0, 2]]),
    Case(
        "gather, by a table",
        lambda a: mb.gather(x=a, indices=[[2, 0], [1, 1]], axis=-1),
        lambda a: a[..., [[2, 0], [1, 1]]],
    ),
    Case("gather one", lambda a: mb.gather(x=a, indices=np.int32(2), axis=1), lambda a: a[:, 2]),
    Case(
        "pixel_shuffle",
        lambda a: mb.pixel_shuffle(x=a, upscale_factor=2),
        lambda a: a.reshape(1, 2, 2, 2, 3, 4).transpose(0, 1, 4, 2, 5, 3).reshape(1, 2, 6, 8),
        shapes=((1, 8, 3, 4),),
    ),
    Case(
        "upsample_nearest_neighbor",
        lambda a: mb.upsample_nearest_neighbor(x=a, scale_factor_height=2.0, scale_factor_width=3.0),
        lambda a: np.kron(a, np.ones((1, 1, 2, 3))),
        shapes=((1, 2, 3, 2),),
    ),
]

CASES = [*ELEMENTWISE, *PRODUCTS, *POOLS, *REDUCTIONS, *SHAPING]


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_operation_agrees_with_its_definition(case: Case, precision: str, tmp_path: Path) -> None:
    _check(case, precision, tmp_path)


def test_every_operation_of_the_evaluator_has_a_case() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    untested = [name for name in OPERATORS if not re.search(rf'mb\.{name}\(|\(\s*"{name}"', source)]
    assert untested == []


@pytest.mark.parametrize("opset", ["iOS15", "iOS17"])
def test_older_and_newer_opsets_are_read(opset: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(1, 3, 5, 5)).astype(np.float32)
    weight = np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32)
    (y,) = run_program(lambda a: mb.relu(x=mb.conv(x=a, weight=weight, pad_type="same")), [x], tmp_path, opset)
    expected = convolve_by_loops(x, weight, np.zeros(4), [1, 1], [1, 1, 1, 1], [1, 1], 1)
    np.testing.assert_allclose(y, np.maximum(expected, 0), rtol=1e-5, atol=1e-5)


# --- whole numbers ------------------------------------------------------------------------------------------------


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


# --- compressed weights -------------------------------------------------------------------------------------------


def _multiply_by(weight: Any, a: Any) -> Any:
    """Uses a weight so that it stays in the program: times ones."""
    return mb.mul(x=weight, y=a)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_affine_weights_are_scale_times_distance_from_the_zero_point(precision: str, tmp_path: Path) -> None:
    data = np.array([[-128, 127, 0], [5, 6, 7]], np.int8)
    scale, zero_point = np.array([0.5, 0.25], precision), np.array([100, -3], np.int8)
    (y,) = run_program(
        lambda a: _multiply_by(
            mb.constexpr_affine_dequantize(quantized_data=data, zero_point=zero_point, scale=scale, axis=0), a
        ),
        [np.ones((2, 3), precision)],
        tmp_path,
    )
    # (-128 - 100) and (127 - 100) do not fit int8: nothing may wrap.
    np.testing.assert_array_equal(y, [[-114.0, 13.5, -50.0], [2.0, 2.25, 2.5]])


def test_palette_indices_fill_bytes_from_their_lowest_bits(tmp_path: Path) -> None:
    # coremltools' own example for five indices of 2 bits: 00, 11, 10, 01 in the first byte, 11 in the second.
    indices, lut = np.array([0b01101100, 0b00000011], np.uint8), np.array([1, 2, 3, 4], np.float32)
    (y,) = run_program(
        lambda a: _multiply_by(mb.constexpr_lut_to_dense(indices=indices, lut=lut, shape=np.array([5], np.uint32)), a),
        [np.ones(5, np.float32)],
        tmp_path,
    )
    np.testing.assert_array_equal(y, [1, 4, 3, 2, 4])


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8])
def test_palettes_of_every_size_match_coremltools_own_decompression(bits: int, tmp_path: Path) -> None:
    random = np.random.default_rng(bits)
    lut = random.normal(size=1 << bits).astype(np.float16)
    flat = random.integers(0, 1 << bits, 30)
    packed = np.packbits(((flat[:, None] >> np.arange(bits)) & 1).astype(np.uint8).reshape(-1), bitorder="little")
    shape = np.array([5, 6], np.uint32)
    (y,) = run_program(
        lambda a: _multiply_by(mb.constexpr_lut_to_dense(indices=packed, lut=lut, shape=shape), a),
        [np.ones((5, 6), np.float16)],
        tmp_path,
    )
    np.testing.assert_array_equal(y, lut[flat].reshape(5, 6))


def test_sparse_weights_stand_where_the_mask_has_bits(tmp_path: Path) -> None:
    # coremltools' own example: mask 01100 over five elements, first element in the lowest bit.
    (y,) = run_program(
        lambda a: _multiply_by(
            mb.constexpr_sparse_to_dense(
                nonzero_data=np.array([3.5, -2], np.float32),
                mask=np.array([0b01100], np.uint8),
                shape=np.array([5], np.uint32),
            ),
            a,
        ),
        [np.ones(5, np.float32)],
        tmp_path,
    )
    np.testing.assert_array_equal(y, [0, 0, 3.5, -2, 0])


def test_weights_cast_at_load_are_the_float16_values(tmp_path: Path) -> None:
    weight = np.array([1 / 3, 2 / 3], np.float16)
    (y,) = run_program(
        lambda a: _multiply_by(mb.constexpr_cast(source_val=weight, output_dtype="fp32"), a),
        [np.ones(2, np.float32)],
        tmp_path,
    )
    np.testing.assert_array_equal(y, weight.astype(np.float32))


@pytest.mark.parametrize(("output", "low", "high"), [("int8", -128, 127), ("uint8", 0, 255)])
def test_quantize_rounds_halves_to_even_and_saturates(output: str, low: int, high: int, tmp_path: Path) -> None:
    x = np.array([-1000, -1.25, -0.75, -0.25, 0, 0.25, 0.75, 1.25, 60, 1000], np.float32)
    zero_point = np.array(10).astype(output)[()]
    levels, back = run_program(
        lambda a: (
            mb.cast(
                x=mb.quantize(input=a, scale=np.float32(0.5), zero_point=zero_point, output_dtype=output), dtype="int32"
            ),
            mb.dequantize(
                input=mb.quantize(input=a, scale=np.float32(0.5), zero_point=zero_point, output_dtype=output),
                scale=np.float32(0.5),
                zero_point=zero_point,
            ),
        ),
        [x],
        tmp_path,
        "iOS17",
    )
    # x / 0.5 is ±2.5, ±1.5, ±0.5 …: halves go to the even neighbour.
    expected = np.clip(np.array([-2000, -2, -2, 0, 0, 0, 2, 2, 120, 2000]) + 10, low, high)
    np.testing.assert_array_equal(levels, expected)
    np.testing.assert_array_equal(back, (expected - 10) * 0.5)


def test_quantization_by_channel_lies_along_its_axis(tmp_path: Path) -> None:
    x = np.array([[1, 1, 1], [2, 2, 2]], np.float32)
    scale = np.array([1, 0.5, 0.25], np.float32)
    (back,) = run_program(
        lambda a: mb.dequantize(
            input=mb.quantize(input=a, scale=scale, axis=1, output_dtype="int8"), scale=np.float32(1)
        ),
        [x],
        tmp_path,
        "iOS17",
    )
    np.testing.assert_array_equal(back, [[1, 2, 4], [2, 4, 8]])
