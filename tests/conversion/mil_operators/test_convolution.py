"""Convolutions and products, against loops and sums written out."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conversion.mil_operators.cases import Array, Case, check, constant, sixteenths

from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)


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
    kernel, offsets = sixteenths(*weight), sixteenths(weight[0]) if bias else np.zeros(weight[0])
    strides, dilations = strides or [1] * spatial, dilations or [1] * spatial

    def build(a: Any) -> Any:
        optional = {"bias": constant(offsets, a)} if bias else {}
        optional |= {"pad": list(pads)} if pad_type == "custom" else {}
        return mb.conv(
            x=a,
            weight=constant(kernel, a),
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


def transpose_convolve_by_loops(
    x: Array, weight: Array, strides: Sequence[int], dilations: Sequence[int], groups: int
) -> Array:
    """Each element of x adds the kernel, times itself, at its place: all that the convolution makes, nothing cut."""
    spatial, kernel = len(strides), weight.shape[2:]
    sizes = [(x.shape[2 + i] - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 for i in range(spatial)]
    per_group_in, per_group_out = x.shape[1] // groups, weight.shape[1]
    out = np.zeros((x.shape[0], per_group_out * groups, *sizes))
    for index in itertools.product(*map(range, x.shape)):
        image, source, *place = index
        first = source // per_group_in * per_group_out
        for target, taps in itertools.product(range(per_group_out), itertools.product(*map(range, kernel))):
            where = tuple(place[i] * strides[i] + taps[i] * dilations[i] for i in range(spatial))
            out[(image, first + target, *where)] += x[index] * weight[(source, target, *taps)]
    return out


def _transposed(
    label: str,
    x: tuple[int, ...],
    weight: tuple[int, ...],
    cut: Sequence[int],
    sizes: tuple[int, ...],
    *,
    pad_type: str = "custom",
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    groups: int = 1,
    shape: Sequence[int] | None = None,
) -> Case:
    """`cut` is what the options cut off before and after each dimension, and `sizes` what is left, worked out by hand.

    `shape` is the padding of a program that states its output's shape, which then says how much is cut.
    """
    spatial = len(x) - 2
    kernel, offsets = sixteenths(*weight), sixteenths(weight[1] * groups)
    strides, dilations = strides or [1] * spatial, dilations or [1] * spatial

    def build(a: Any) -> Any:
        optional: dict[str, Any] = {"pad": list(shape or cut)} if pad_type == "custom" else {}
        if shape:
            optional["output_shape"] = [x[0], weight[1] * groups, *sizes]
        return mb.conv_transpose(
            x=a,
            weight=constant(kernel, a),
            bias=constant(offsets, a),
            pad_type=pad_type,
            strides=strides,
            dilations=dilations,
            groups=groups,
            **optional,
        )

    def expected(a: Array) -> Array:
        whole = transpose_convolve_by_loops(a, kernel, strides, dilations, groups)
        kept = tuple(slice(cut[2 * i], cut[2 * i] + sizes[i]) for i in range(spatial))
        cropped = whole[(slice(None), slice(None), *kept)]
        assert cropped.shape[2:] == sizes
        return cropped + offsets.reshape(-1, *[1] * spatial)

    return Case(f"conv_transpose {label}", build, expected, shapes=(x,))


def _attention(query: Array, key: Array, value: Array, mask: Any) -> Array:
    scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1]) + mask
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ value


CASES = [
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
    _transposed("valid", (2, 3, 4, 3), (3, 5, 3, 2), [0, 0, 0, 0], (6, 4), pad_type="valid"),
    _transposed("stride 2", (1, 3, 4, 3), (3, 5, 3, 3), [1, 1, 1, 1], (7, 5), strides=[2, 2]),
    _transposed("unevenly padded", (1, 2, 4, 4), (2, 3, 3, 3), [1, 0, 0, 2], (5, 4)),
    _transposed("two groups", (1, 4, 3, 3), (4, 2, 2, 2), [0, 0, 0, 0], (6, 6), strides=[2, 2], groups=2),
    _transposed("dilated", (1, 2, 4, 4), (2, 3, 3, 3), [1, 1, 1, 1], (6, 6), dilations=[2, 2]),
    # 4 · 2 = 8 of (4-1)·2+3 = 9 elements: the one too many is cut off at the end.
    _transposed("same", (1, 2, 4, 4), (2, 3, 3, 3), [0, 1, 0, 1], (8, 8), strides=[2, 2], pad_type="same"),
    # torch's output_padding of 1: (4-1)·2+3-2 = 7, and one element more.
    _transposed(
        "with an output shape", (1, 2, 4, 4), (2, 3, 3, 3), [1, 0, 1, 0], (8, 8), strides=[2, 2], shape=[1, 1, 1, 1]
    ),
    _transposed("1-D", (1, 3, 4), (3, 2, 3), [1, 1], (7,), strides=[2]),
    _transposed("3-D", (1, 2, 2, 3, 2), (2, 3, 2, 2, 2), [0, 0, 0, 0, 0, 0], (3, 4, 3)),
    Case(
        "einsum",
        lambda a, b: mb.einsum(values=(a, b), equation="nchw,nwhu->nchu"),
        lambda a, b: (a[..., None] * b.transpose(0, 2, 1, 3)[:, None]).sum(3),
        shapes=((2, 3, 4, 5), (2, 5, 4, 6)),
    ),
    Case(
        "scaled_dot_product_attention",
        lambda a, b, c: mb.scaled_dot_product_attention(query=a, key=b, value=c),
        lambda a, b, c: _attention(a, b, c, 0),
        shapes=((2, 3, 4), (2, 5, 4), (2, 5, 6)),
        opset="iOS18",
    ),
    Case(
        "scaled_dot_product_attention, masked",
        lambda a, b, c, d: mb.scaled_dot_product_attention(query=a, key=b, value=c, attn_mask=d),
        _attention,
        shapes=((2, 3, 4), (2, 5, 4), (2, 5, 6), (3, 5)),
        opset="iOS18",
    ),
    Case(
        "scaled_dot_product_attention, masked by booleans",
        lambda a, b, c: mb.scaled_dot_product_attention(query=a, key=b, value=c, attn_mask=np.tri(3, 5, 1) > 0),
        lambda a, b, c: _attention(a, b, c, np.where(np.tri(3, 5, 1) > 0, 0, -np.inf)),
        shapes=((2, 3, 4), (2, 5, 4), (2, 5, 6)),
        opset="iOS18",
    ),
    Case(
        "linear",
        lambda a: mb.linear(x=a, weight=constant(sixteenths(5, 7), a), bias=constant(sixteenths(5), a)),
        lambda a: np.einsum("nc,kc->nk", a, sixteenths(5, 7)) + sixteenths(5),
        shapes=((3, 7),),
    ),
    Case(
        "linear without bias",
        lambda a: mb.linear(x=a, weight=constant(sixteenths(5, 7), a)),
        lambda a: np.einsum("nmc,kc->nmk", a, sixteenths(5, 7)),
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


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_operation_agrees_with_its_definition(case: Case, precision: str, tmp_path: Path) -> None:
    check(case, precision, tmp_path)
