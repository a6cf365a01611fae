"""Quantiles of latency with intervals, where the run is the unit of independence.

Samples of one run share its heat, clock and neighbours, so a thousand of them may say no more than one. What is
estimated is the quantile of all samples pooled; how sure it is comes from how much the runs differ.

The interval is Woodruff's with runs as clusters: the share of samples below the estimate varies from run to run; a t
interval of that share's log odds is read back through the pooled distribution. In simulation (skewed samples,
autocorrelation 0.6, 100 a run, run-to-run noise of 0.5 to 20 %) it covers the median in 93 to 96 % of data sets at 5,
10 and 20 runs; with fewer, `COVERAGE_PERCENT` is what it does. A t interval on the logarithm of each run's own quantile
is biased, the more so in a tail, which the slow runs make: with 5 % noise it covered the median in 93 and 90 % at 10
and 20 runs, and p90 in 72 and 45 %.

No method bounds a tail that few runs make, so a tail's interval needs as many independent samples beyond it as a normal
approximation of a share does. How many samples are independent follows from how much the runs differ about the median.

Source: Woodruff 1952, JASA 47, 635-646; for clusters Francisco and Fuller 1991, Annals of Statistics 19, 454-469. It is
what `svyquantile` of R's survey package does with `interval.type = "xlogit"`.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from mobisdk.latency.record import Durations

CONFIDENCE: Final = 0.95
FEWEST_RUNS: Final = 3
"""Two runs cover as little as 77 % where they differ much, and are no measure of how much they differ."""
ENOUGH_RUNS: Final = 5
"""From so many on an interval covers what it says however much runs differ; with fewer, no tail and no verdict."""
COVERAGE_PERCENT: Final[Mapping[int, tuple[int, int]]] = {3: (89, 95), 4: (93, 96), 5: (95, 96)}
"""By runs: of 2,000 simulated medians, how many their intervals hold, from the least to the most with noise of 0.5 to
20 % between runs (`bench_latency.py --only coverage`)."""
_SAMPLES_BEYOND: Final = 5
"""So many independent samples must lie beyond a tail's quantile."""


@dataclasses.dataclass(frozen=True)
class Quantile:
    """A quantile with its 95 % interval; without one, `reason` says why."""

    value_ns: int
    low_ns: int | None
    high_ns: int | None
    reason: str | None


def estimate_quantile(runs: Sequence[Durations], q: float) -> Quantile:
    """Estimate the pooled `q`-quantile of `runs`, each at least one sample of shape (samples,)."""
    pooled = np.concatenate(runs)
    value = float(np.quantile(pooled, q))
    reason = _reason_for_no_interval(runs, pooled, q)
    if reason is not None:
        return Quantile(round(value), None, None, reason)
    shares = cluster_interval(len(runs), _share_error(runs, pooled, value), q)
    low, high = np.quantile(pooled, shares)
    return Quantile(round(value), round(low), round(high), None)


def cluster_interval(runs: int, error: float, q: float) -> tuple[float, float]:
    """Give the shares whose quantiles bound the `q`-quantile, from the standard error of the share below it."""
    factor = math.exp(_t_factor(runs) * error / (q * (1 - q)))
    odds = q / (1 - q)
    return odds / factor / (1 + odds / factor), odds * factor / (1 + odds * factor)


def cluster_reason(runs: int, samples: int, median_error: float, q: float) -> str | None:
    """Say why there is no interval; `median_error` is the standard error of the share of samples below the median."""
    if runs < FEWEST_RUNS:
        return f"{runs} run{'s' * (runs > 1)}; an interval needs {FEWEST_RUNS}"
    if q == 0.5:
        return None
    if runs < ENOUGH_RUNS:
        return f"{runs} runs; an interval of a tail needs {ENOUGH_RUNS}"
    independent = min(samples, 0.25 / median_error**2) if median_error else samples
    beyond = independent * min(q, 1 - q)
    enough = math.ceil(round(runs * _SAMPLES_BEYOND / beyond, 6))
    if enough <= runs:
        return None
    return f"{runs} runs; an interval of this tail needs about {enough}"


def _reason_for_no_interval(runs: Sequence[Durations], pooled: Durations, q: float) -> str | None:
    needs_error = len(runs) >= ENOUGH_RUNS and q != 0.5
    error = _share_error(runs, pooled, float(np.median(pooled))) if needs_error else 0.0
    return cluster_reason(len(runs), pooled.size, error, q)


def _share_error(runs: Sequence[Durations], pooled: Durations, value: float) -> float:
    """Standard error of the share of samples at or below `value`: a ratio estimate over runs as clusters."""
    sizes = np.array([run.size for run in runs])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    below = np.add.reduceat(pooled <= value, starts, dtype=np.int64)
    residuals = below - sizes * (below.sum() / pooled.size)
    count = len(runs)
    return float(np.sqrt(count / (count - 1) * np.sum(residuals**2.0)) / pooled.size)


def _t_factor(runs: int) -> float:
    from scipy.special import stdtrit  # scipy.stats has the same number and takes a second to import

    return float(stdtrit(runs - 1, 0.5 + CONFIDENCE / 2))
