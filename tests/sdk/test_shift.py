import math

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from mobisdk.latency.record import Durations, durations
from mobisdk.latency.shift import estimate_shift


def side(medians_ns: NDArray[np.float64]) -> list[Durations]:
    """Runs whose median is known: one sample each."""
    return [durations([round(median)]) for median in medians_ns]


def simulate(
    pairs: int, runs: int, noise: float, change: float, seed: int
) -> list[tuple[list[Durations], list[Durations]]]:
    """Pairs of sides whose runs differ by `noise`, half of it normal and half a skewed excess."""
    rng = np.random.default_rng(seed)
    scale = noise / math.sqrt(2)
    logs = scale * rng.standard_normal((2, pairs, runs)) + scale * rng.exponential(size=(2, pairs, runs))
    logs[1] += math.log1p(change)
    return [(side(old), side(new)) for old, new in zip(*(2e6 * np.exp(logs)), strict=True)]


@pytest.mark.parametrize("runs", [5, 10, 20])
def test_equal_sides_raise_an_alarm_in_at_most_two_percent_of_pairs(runs: int) -> None:
    shifts = [estimate_shift(*pair, 0.05) for pair in simulate(1000, runs, 0.05, 0.0, seed=runs)]
    assert np.mean([shift.verdict == "slower" for shift in shifts]) <= 0.02
    assert np.mean([shift.verdict == "faster" for shift in shifts]) <= 0.02


def test_slowdown_of_a_tenth_is_found_in_ninety_percent_of_pairs_of_ten_runs() -> None:
    shifts = [estimate_shift(*pair, 0.05) for pair in simulate(1000, 10, 0.05, 0.10, seed=1)]
    assert np.mean([shift.verdict == "slower" for shift in shifts]) >= 0.90


def test_twenty_variants_together_raise_no_more_alarms_than_one() -> None:
    families = np.reshape(simulate(2000, 10, 0.05, 0.0, seed=2), (100, 20, 2, 10, 1))
    alarms = [
        any(estimate_shift(list(old), list(new), 0.0, comparisons=20).verdict == "slower" for old, new in family)
        for family in families
    ]
    assert np.mean(alarms) <= 0.04  # 1 % meant; three standard errors of 100 families


def test_bounds_are_scipys_welch_intervals() -> None:
    rng = np.random.default_rng(4)
    old, new = 2e6 * rng.lognormal(0, 0.03, 12), 2.1e6 * rng.lognormal(0, 0.08, 7)
    shift = estimate_shift(side(old), side(new), 0.05)
    expected = scipy.stats.ttest_ind(np.log(np.rint(new)), np.log(np.rint(old)), equal_var=False)
    interval = expected.confidence_interval(0.98)  # 1 % on either side
    assert shift.low == pytest.approx(math.expm1(interval.low), rel=1e-9)
    assert shift.high == pytest.approx(math.expm1(interval.high), rel=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ([100] * 5, [100] * 5, "same"),
        ([100] * 5, [104] * 5, "same"),
        ([100] * 5, [106] * 5, "slower"),
        ([106] * 5, [100] * 5, "faster"),
        ([90, 95, 100, 105, 110], [95, 100, 105, 110, 115], "cannot tell"),
        ([0] * 5, [0] * 5, "same"),
    ],
)
def test_verdicts_of_small_cases(old: list[int], new: list[int], verdict: str) -> None:
    assert estimate_shift(side(np.array(old)), side(np.array(new)), 0.05).verdict == verdict


def test_too_few_runs_cannot_tell_and_say_how_many_would() -> None:
    shift = estimate_shift(side(np.full(1, 100.0)), side(np.full(9, 200.0)), 0.05)
    assert (shift.verdict, shift.low, shift.runs_to_tell) == ("cannot tell", None, 10)
    assert shift.reason == "1 run on one side; a verdict needs 5"
    assert shift.change == pytest.approx(1.0)


def test_number_of_runs_that_would_tell_tells() -> None:
    rng = np.random.default_rng(0)
    old, new = 1e6 * rng.lognormal(0, 0.08, 5), 1.08e6 * rng.lognormal(0, 0.08, 5)
    shift = estimate_shift(side(old), side(new), 0.05)
    assert shift.verdict == "cannot tell"
    assert shift.runs_to_tell is not None
    more = [np.tile(runs, math.ceil(shift.runs_to_tell / 5) + 1) for runs in (old, new)]
    assert estimate_shift(side(more[0]), side(more[1]), 0.05).verdict != "cannot tell"
