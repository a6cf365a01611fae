import math

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray
from scipy.special import log_ndtr

from mobisdk.latency.record import Durations, durations
from mobisdk.latency.stats import COVERAGE_PERCENT, estimate_quantile

SPREAD = 0.05
"""Scale of a sample's exponential excess over its run's best, as a share."""


def simulate(data_sets: int, runs: int, samples: int, noise: float, seed: int) -> NDArray[np.int64]:
    """Latencies in nanoseconds, shape (data sets, runs, samples).

    log latency = the run's normal noise + an exponential excess, autocorrelated by 0.6 from sample to sample.
    """
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((samples, data_sets, runs))
    for index in range(1, samples):
        normal[index] = 0.6 * normal[index - 1] + 0.8 * normal[index]
    excess = -SPREAD * log_ndtr(-normal)
    return (
        np.rint(2e6 * np.exp(noise * rng.standard_normal((data_sets, runs)) + excess))
        .astype(np.int64)
        .transpose(1, 2, 0)
    )


def true_quantile_ns(q: float, noise: float) -> float:
    """Quantile of a normal and an exponential added, by SciPy."""
    return 2e6 * math.exp(scipy.stats.exponnorm(SPREAD / noise, scale=noise).ppf(q))


@pytest.mark.parametrize("runs", [5, 10, 20])
@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_interval_of_the_median_covers_the_truth_in_93_to_97_percent_of_data_sets(runs: int, noise: float) -> None:
    truth = true_quantile_ns(0.5, noise)
    estimates = [estimate_quantile(list(each), 0.5) for each in simulate(1000, runs, 100, noise, seed=runs)]
    covered = [e.low_ns <= truth <= e.high_ns for e in estimates if e.low_ns is not None and e.high_ns is not None]
    assert len(covered) == 1000
    assert 0.93 <= np.mean(covered) <= 0.97


@pytest.mark.parametrize("runs", [3, 4, 5])
@pytest.mark.parametrize("noise", [0.02, 0.2])
def test_interval_of_few_runs_covers_what_is_printed_beside_it(runs: int, noise: float) -> None:
    truth = true_quantile_ns(0.5, noise)
    estimates = [estimate_quantile(list(each), 0.5) for each in simulate(2000, runs, 60, noise, seed=10 + runs)]
    covered = 100 * np.mean([(e.low_ns or 0) <= truth <= (e.high_ns or 0) for e in estimates])
    low, high = COVERAGE_PERCENT[runs]
    assert low - 1 <= covered <= high + 1  # two standard errors of 2,000 simulated medians


def test_interval_of_a_tail_covers_the_truth_where_it_is_given() -> None:
    truth = true_quantile_ns(0.9, 0.02)
    estimates = [estimate_quantile(list(each), 0.9) for each in simulate(1000, 20, 100, 0.02, seed=3)]
    covered = [e.low_ns <= truth <= e.high_ns for e in estimates if e.low_ns is not None and e.high_ns is not None]
    assert len(covered) > 950
    assert 0.93 <= np.mean(covered) <= 0.97


def test_tail_that_slow_runs_make_is_neither_bounded_here_nor_by_the_quantiles_of_runs() -> None:
    truth = true_quantile_ns(0.9, 0.1)
    data = simulate(1000, 20, 100, 0.1, seed=3)
    estimates = [estimate_quantile(list(each), 0.9) for each in data]
    assert np.mean([estimate.low_ns is None for estimate in estimates]) > 0.95
    logs = np.log(np.quantile(data, 0.9, axis=2))
    low, high = scipy.stats.t.interval(0.95, 19, logs.mean(axis=1), scipy.stats.sem(logs, axis=1))
    assert np.mean((low <= math.log(truth)) & (math.log(truth) <= high)) < 0.5  # why that method was turned down


def test_interval_when_runs_differ_in_length_still_covers() -> None:
    truth = true_quantile_ns(0.5, 0.03)
    data = simulate(1000, 12, 150, 0.03, seed=5)
    lengths = [30, 60, 90, 150] * 3
    estimates = [estimate_quantile([run[:n] for run, n in zip(each, lengths, strict=True)], 0.5) for each in data]
    covered = [(e.low_ns or 0) <= truth <= (e.high_ns or 0) for e in estimates]
    assert 0.92 <= np.mean(covered) <= 0.98


def test_interval_of_a_hand_worked_case() -> None:
    """Five runs with 1, 2, 2, 2 and 3 of 4 samples below the pooled median.

    Shares 1/4, 1/2, 1/2, 1/2, 3/4: variance 1/32, standard error √(1/160) = 0.07906, of log odds 0.31623; with
    t(4) = 2.7764 the odds are 2.4060 and its inverse, the shares 0.2936 and 0.7064, and the places among 100, 200, …
    2000 are 19 times that: 5.578 and 13.422.
    """
    runs = [
        durations([100, 1100, 1200, 1300]),
        durations([200, 300, 1400, 1500]),
        durations([400, 500, 1600, 1700]),
        durations([600, 700, 1800, 1900]),
        durations([800, 900, 1000, 2000]),
    ]
    estimate = estimate_quantile(runs, 0.5)
    assert (estimate.value_ns, estimate.low_ns, estimate.high_ns, estimate.reason) == (1050, 658, 1442, None)


def test_interval_of_one_sample_a_run_is_near_scipys_exact_one() -> None:
    values = np.random.default_rng(0).lognormal(15, 0.2, 40).astype(np.int64)
    estimate = estimate_quantile([durations([value]) for value in values], 0.5)
    exact = scipy.stats.quantile_test(values, p=0.5).confidence_interval(0.95)
    neighbours = np.sort(values)
    for ours, theirs in ((estimate.low_ns, exact.low), (estimate.high_ns, exact.high)):
        place, theirs_place = np.searchsorted(neighbours, [ours or 0, theirs])
        assert abs(int(place) - int(theirs_place)) <= 1


def test_value_is_numpys_quantile_of_all_samples() -> None:
    runs = list(simulate(1, 6, 50, 0.05, seed=1)[0])
    for q in (0.5, 0.9, 0.99):
        assert estimate_quantile(runs, q).value_ns == round(np.quantile(np.concatenate(runs), q))


@pytest.mark.parametrize(
    ("runs", "q", "reason"),
    [
        ([[5, 6, 7]], 0.5, "1 run; an interval needs 3"),
        ([[5, 6, 7]] * 2, 0.5, "2 runs; an interval needs 3"),
        ([[5, 6, 7] * 100] * 4, 0.9, "4 runs; an interval of a tail needs 5"),
        ([[5, 6, 7]] * 5, 0.9, "5 runs; an interval of this tail needs about 17"),  # 15 samples: 1.5 beyond, not 5
        ([list(range(90))] * 5, 0.99, "5 runs; an interval of this tail needs about 6"),  # 4.5 beyond
        ([[1] * 20] * 9 + [[9] * 20], 0.9, "10 runs; an interval of this tail needs about 20"),  # worth 25 samples
    ],
)
def test_interval_that_cannot_be_given_says_why(runs: list[list[int]], q: float, reason: str) -> None:
    estimate = estimate_quantile([durations(run) for run in runs], q)
    assert (estimate.low_ns, estimate.high_ns, estimate.reason) == (None, None, reason)


@pytest.mark.parametrize("value", [0, 7, 10**18])
def test_samples_that_are_all_equal_have_an_interval_of_no_width(value: int) -> None:
    runs: list[Durations] = [durations([value] * 30)] * 6
    estimate = estimate_quantile(runs, 0.5)
    assert (estimate.value_ns, estimate.low_ns, estimate.high_ns) == (value, value, value)
