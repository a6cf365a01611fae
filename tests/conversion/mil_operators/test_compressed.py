"""Compressed weights and quantization, against hand-worked cases and coremltools' own decompression."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conversion.mil_operators.cases import Build, run_program

from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)
    from coremltools.converters.mil.mil import types


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


def _narrow(values: Any, dtype: str) -> Any:
    """Whole numbers as coremltools' type of less than a byte."""
    return np.asarray(values).astype(types.nptype_from_builtin(types.string_to_builtin(dtype)))


def _constants_times_ones(build: Build, shape: tuple[int, ...], folder: Path) -> Any:
    """A weight of iOS 18 in float16, by way of a program that multiplies it with ones."""
    (y,) = run_program(lambda a: _multiply_by(build(), a), [np.ones(shape, np.float16)], folder, "iOS18")
    return y


def test_each_group_of_rows_has_its_palette(tmp_path: Path) -> None:
    # coremltools' own example of two groups, iOS18/compression.py, constexpr_lut_to_dense, case 1.
    indices = _narrow([[2, 3], [3, 0], [1, 0], [3, 0], [2, 1], [0, 3]], "uint2")
    lut = np.array([1, 5, 9, 13, 2, 10, 18, 26], np.float16).reshape(2, 1, 4, 1)
    weight = _constants_times_ones(lambda: mb.constexpr_lut_to_dense(indices=indices, lut=lut), (6, 2), tmp_path)
    np.testing.assert_array_equal(weight, [[9, 13], [13, 1], [5, 1], [26, 2], [18, 10], [2, 26]])


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (
            1,
            [[[1, 1], [2, 2], [3, 3], [4, 1], [5, 2], [6, 3]], [[4, 4], [5, 5], [6, 6], [1, 1], [2, 2], [3, 3]]],
        ),
        (2, [[[1, 2, 3, 1, 2, 3], [4, 5, 6, 1, 2, 3]], [[4, 5, 6, 4, 5, 6], [1, 2, 3, 1, 2, 3]]]),
    ],
)
def test_vectors_of_a_palette_lie_along_their_axis(axis: int, expected: Any, tmp_path: Path) -> None:
    # The same document, cases 2.1 and 2.2, with a0 a1 a2 = 1 2 3 and b0 b1 b2 = 4 5 6.
    indices = _narrow([[[0, 0], [1, 0]], [[1, 1], [0, 0]]], "uint1")
    lut = np.array([1, 2, 3, 4, 5, 6], np.float16).reshape(1, 1, 1, 2, 3)
    weight = _constants_times_ones(
        lambda: mb.constexpr_lut_to_dense(indices=indices, lut=lut, vector_axis=axis), np.shape(expected), tmp_path
    )
    np.testing.assert_array_equal(weight, expected)


MASK = [[1, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1], [0, 1, 1, 0, 1, 0], [0, 0, 0, 1, 0, 0]]


@pytest.mark.parametrize("vector", [1, 2])
def test_a_sparse_palette_is_its_entries_where_the_mask_has_bits(vector: int, tmp_path: Path) -> None:
    # coremltools' own examples of constexpr_lut_to_sparse: entry 0 is 2 (or 2 2), entry 1 is 3 (or 3 3).
    lut = np.repeat(np.array([2, 3], np.float16), vector).reshape(1, 1, 2, vector)
    rows = [[2, 3, 0, 0, 0, 0], [3, 2, 0, 0, 0, 3], [0, 3, 2, 0, 2, 0], [0, 0, 0, 3, 0, 0]]

    def build() -> Any:
        mask, values = mb.constexpr_lut_to_sparse(
            indices_mask=_narrow(MASK, "uint1"),
            indices_nonzero_data=_narrow([0, 1, 1, 0, 1, 1, 0, 0, 1], "uint1"),
            lut=lut,
            vector_axis=0,
        )
        return mb.constexpr_sparse_to_dense(nonzero_data=values, mask=mask)

    weight = _constants_times_ones(build, (4 * vector, 6), tmp_path)
    np.testing.assert_array_equal(weight, np.repeat(rows, vector, axis=0))


@pytest.mark.parametrize("dtype", ["int4", "uint4", "int8", "uint8"])
def test_blocks_have_their_own_scale_and_offset(dtype: str, tmp_path: Path) -> None:
    bits, signed = int(dtype.lstrip("uint")), dtype.startswith("i")
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    data = np.random.default_rng(2).integers(low, high, (4, 6), endpoint=True)
    data[0, :2] = low, high  # less or more than the offset by what the type cannot hold
    scale = np.array([[0.5, 2, 0.25], [1, 0.125, 4]])
    offset = np.array([[high, 1, low], [0, 2, 3]])
    weight = _constants_times_ones(
        lambda: mb.constexpr_blockwise_shift_scale(
            data=_narrow(data, dtype), scale=scale.astype(np.float16), offset=_narrow(offset, dtype)
        ),
        (4, 6),
        tmp_path,
    )
    expected = [
        [scale[i // 2, j // 2] * (int(data[i, j]) - int(offset[i // 2, j // 2])) for j in range(6)] for i in range(4)
    ]
    np.testing.assert_array_equal(weight, expected)


def test_sparse_values_are_scaled_by_their_place(tmp_path: Path) -> None:
    # coremltools' own example of constexpr_sparse_blockwise_shift_scale, with scales that float16 has.
    def build() -> Any:
        mask, values = mb.constexpr_sparse_blockwise_shift_scale(
            data_mask=_narrow([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [1, 1, 0, 0]], "uint1"),
            nonzero_data=np.array([10, 11, 3, 4, 5, 6, 7, 8, 9], np.int8),
            scale=np.array([[0.5, 0.25, 2, 4]], np.float16),
            offset=np.array([[1, 2, 3, 4]], np.int8),
        )
        return mb.constexpr_sparse_to_dense(nonzero_data=values, mask=mask)

    weight = _constants_times_ones(build, (4, 4), tmp_path)
    np.testing.assert_array_equal(weight, [[4.5, 2.25, 0, 0], [1, 0.5, 4, 0], [0, 0, 6, 12], [3.5, 1.75, 0, 0]])


def test_a_palette_of_whole_numbers_is_scaled_by_blocks(tmp_path: Path) -> None:
    weight = _constants_times_ones(
        lambda: mb.constexpr_blockwise_shift_scale(
            data=mb.constexpr_lut_to_dense(
                indices=_narrow([[0, 1], [1, 0]], "uint1"), lut=np.array([-100, 50], np.int8).reshape(1, 1, 2, 1)
            ),
            scale=np.array([[0.5], [2]], np.float16),
        ),
        (2, 2),
        tmp_path,
    )
    np.testing.assert_array_equal(weight, [[-50, 25], [100, -200]])


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
