import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from mobisdk.compression.rounding import (
    binarize,
    choose_power_of_two,
    round_to_fixed_point,
    round_to_levels,
    scale_binary,
)


def gradient(function: object, weight: Tensor, upstream: Tensor) -> Tensor:
    weight = weight.clone().requires_grad_()
    (function(weight) * upstream).sum().backward()  # type: ignore[operator]
    assert weight.grad is not None
    return weight.grad


def test_signs_when_worked_by_hand() -> None:
    weight = torch.tensor([[-2.0, -0.5, 0.0, 0.25, 3.0]])
    assert binarize(weight).tolist() == [[-1, -1, 1, 1, 1]]
    # Straight through where |w| ≤ 1: the first and the last learn nothing.
    assert gradient(binarize, weight, torch.tensor([[1.0, 2, 3, 4, 5]])).tolist() == [[0, 2, 3, 4, 0]]


def test_xnor_scaling_when_worked_by_hand() -> None:
    # α is 1 and 4 of magnitudes 0.5 + 1.5 + 1 and 2 + 4 + 6; Rastegari et al., equation 6.
    weight = torch.tensor([[0.5, -1.5, 1.0], [-2.0, -4.0, 6.0]])
    assert scale_binary(weight).tolist() == [[1, -1, 1], [-4, -4, 4]]
    # Of 1, 1, 1 upstream: α where |w| ≤ 1, and each sign times the mean of upstream · signs: 1/3 and -1/3.
    expected = torch.tensor([[1 + 1 / 3, -1 / 3, 1 + 1 / 3], [1 / 3, 1 / 3, -1 / 3]])
    torch.testing.assert_close(gradient(scale_binary, weight, torch.ones(2, 3)), expected)


@pytest.mark.parametrize("bits", [1, 2, 4, 6])
def test_levels_when_rounded_then_few_and_scaled_by_least_squares(bits: int) -> None:
    weight = torch.randn(3, 40, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.02
    rounded = round_to_levels(weight, bits)
    for row, original in zip(rounded.flatten(1).numpy(), weight.flatten(1).numpy(), strict=True):
        values = np.unique(row.round(12))
        assert len(values) <= 2**bits
        levels = values / np.abs(values).min()
        np.testing.assert_allclose(levels % 2, 1, atol=1e-6)
        assert np.abs(levels).max() <= 2**bits - 1 + 1e-6
        # No other scale of these levels is nearer.
        best = minimize_scalar(lambda scale, row=row, original=original: np.square(scale * row - original).sum())
        np.testing.assert_allclose(best.x, 1, atol=1e-6)


@pytest.mark.parametrize(("bits", "distortion"), [(1, 0.3634), (2, 0.1188), (4, 0.01154), (6, 0.001041)])
def test_levels_when_weights_are_normal_then_the_error_is_that_of_maxs_table(bits: int, distortion: float) -> None:
    weight = torch.randn(1, 400_000, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    error = float((round_to_levels(weight, bits) - weight).square().mean())
    assert error == pytest.approx(distortion, rel=0.03)


def test_levels_when_differentiated_then_straight_through_within_the_outer_ones() -> None:
    weight = torch.tensor([[0.9, -0.4, 0.3, -0.8, 0.1, 50.0]], dtype=torch.float64)
    learned = gradient(lambda each: round_to_levels(each, 2), weight, torch.tensor([[1.0, 0, 0, 0, 0, 0]]).double())
    assert float(learned[0, 0]) > 0.5
    outer = gradient(lambda each: round_to_levels(each, 2), weight, torch.tensor([[0.0, 0, 0, 0, 0, 1]]).double())
    # Clipped: what is left is its part in the scale, 3/6 of the level 3 over the levels' mean square.
    assert 0 < float(outer[0, 5]) < 1


def test_fixed_point_when_worked_by_hand() -> None:
    # Four bits and steps of 1/8: -1 to 7/8, halves to the even one.
    values = torch.tensor([-5.0, -0.3, 0.0625, 0.1875, 0.26, 2.0])
    step = torch.tensor(0.125)
    assert round_to_fixed_point(values, 4, step).tolist() == [-1, -0.25, 0, 0.25, 0.25, 0.875]
    passed = gradient(lambda each: round_to_fixed_point(each, 4, step), values, torch.ones(6))
    assert passed.tolist() == [0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("largest", "bits", "step"),
    [(7.0, 4, 1.0), (7.01, 4, 2.0), (3.5, 4, 0.5), (127 / 1024, 8, 1 / 1024), (1e-3, 8, 2**-16)],
)
def test_power_of_two_when_nothing_may_overflow_then_the_smallest_that_holds_the_largest(
    largest: float, bits: int, step: float
) -> None:
    values = torch.tensor([0.0, -largest, largest / 3])
    assert float(choose_power_of_two(values, bits, 0.0)) == step


def test_power_of_two_when_one_in_a_hundred_may_overflow_then_the_largest_does() -> None:
    values = torch.linspace(-1, 1, 100)
    values[50] = 1000
    assert float(choose_power_of_two(values, 8, 0.0)) == 8
    assert float(choose_power_of_two(values, 8, 0.01)) == 2**-6


def test_zeros_when_rounded_then_stay_zeros() -> None:
    zeros = torch.zeros(2, 9)
    assert not round_to_levels(zeros, 4).any()
    assert not scale_binary(zeros).any()
    assert not round_to_fixed_point(zeros, 8, choose_power_of_two(zeros, 8, 1e-4)).any()
