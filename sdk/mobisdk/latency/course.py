"""What happens in the course of a run: warming up, throttling, outliers, and how much one sample tells of the next.

Nothing is dropped for it: samples are labelled and counted, and the figures stay those of all samples.

Source: the change point is the split into two means with the least squared error, accepted where it beats one mean by
the Bayesian information criterion (Yao 1988, Statistics and Probability Letters 6, 181-189), with the number of samples
reduced to the independent ones by their lag-one autocorrelation (Bayley and Hammersley 1946, J. Royal Statistical
Society 8, 184-197). Outliers are labelled by Tukey's fences, as criterion.rs does.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mobisdk.latency.record import Durations, Mode

_SMALLEST_SHIFT: Final = 0.05
"""A level that moves by less is nobody's warm-up and nobody's throttling."""
_FEWEST_SAMPLES: Final = 10
_FEWEST_IN_A_PART: Final = 3
_FARTHEST_DEVIATIONS: Final = 5.0
"""Single samples beyond are clipped before a level is looked for: a hiccup is no change of level."""
_PENALTY: Final = 3.0
_SECOND_NS: Final = 1e9


@dataclasses.dataclass(frozen=True)
class Course:
    """What happened in the course of a group's runs."""

    warmup_samples: float | None
    """Inferences until a run is warm, the median of the runs that showed it; null where none did."""
    still_warming_runs: int
    """Runs whose warm-up reaches into the samples that the figures are made of."""
    mild_outliers: int
    """Samples beyond 1.5 interquartile ranges above their run's upper quartile, and below 3."""
    severe_outliers: int
    autocorrelation: float
    """Of neighbouring samples within a run."""
    independent_samples: float
    """So many independent samples would tell as much of a run's own level as its samples do."""
    throttled_runs: int
    time_to_throttle_s: float | None
    """Median of the throttled runs."""
    fresh_ns: float | None
    """Median before throttling, of the throttled runs."""
    steady_ns: float | None
    """Median level after it."""


@dataclasses.dataclass(frozen=True)
class Throttling:
    """A run that became slower and stayed so."""

    at_ns: int
    fresh_ns: float
    steady_ns: float


def describe_course(
    mode: Mode, warmup: Sequence[Durations], inference: Sequence[Durations], at: Sequence[Durations]
) -> Course:
    """Describe runs of one mode, of which there is at least one: by run, its warm-up, its samples, and their times."""
    warmups = [find_warmup(*each) for each in zip(warmup, inference, strict=True)]
    shown = [length for length in warmups if length]
    outliers = np.sum([_count_outliers(samples) for samples in inference], axis=0)
    correlation = _correlate(inference)
    samples = sum(each.size for each in inference)
    series = zip(inference, at, strict=True) if mode == "sustained" else ()
    throttled = [found for each in series if (found := find_throttling(*each))]
    return Course(
        warmup_samples=float(np.median(shown)) if shown else None,
        still_warming_runs=sum(length > each.size for each, length in zip(warmup, warmups, strict=True)),
        mild_outliers=int(outliers[0]),
        severe_outliers=int(outliers[1]),
        autocorrelation=correlation,
        independent_samples=samples * (1 - correlation) / (1 + correlation),
        throttled_runs=len(throttled),
        time_to_throttle_s=_median([each.at_ns / _SECOND_NS for each in throttled]),
        fresh_ns=_median([each.fresh_ns for each in throttled]),
        steady_ns=_median([each.steady_ns for each in throttled]),
    )


def find_warmup(warmup: Durations, samples: Durations) -> int:
    """Count the inferences, from the first that warmed up, before the level fell to its own; 0 where it did not."""
    series = np.concatenate([warmup, samples]) if warmup.size else samples
    half = _to_logs(series[: 2 * max(series.size // 4, _FEWEST_SAMPLES)])
    place = find_change(half)
    if place is None or half[:place].mean() - half[place:].mean() < math.log1p(_SMALLEST_SHIFT):
        return 0
    return place


def find_throttling(samples: Durations, at: Durations) -> Throttling | None:
    """Find where a run became slower for good, if it did; `at` are the times of its samples."""
    place = find_change(_to_logs(samples), max(samples.size // 20, _FEWEST_IN_A_PART))
    if place is None:
        return None
    fresh, after = float(np.median(samples[:place])), samples[place:]
    steady = float(np.median(after[after.size // 2 :]))  # the later half: a level on its way is not steady yet
    if steady < fresh * (1 + _SMALLEST_SHIFT):
        return None
    return Throttling(int(at[place]), fresh, steady)


def find_change(logs: NDArray[np.float64], fewest: int = _FEWEST_IN_A_PART) -> int | None:
    """Find the one place from which on the level is another, with `fewest` samples or more on either side.

    Null where one level explains the samples as well.
    """
    count = logs.size
    if count < _FEWEST_SAMPLES:
        return None
    center = float(np.median(logs))
    reach = _FARTHEST_DEVIATIONS * 1.4826 * float(np.median(np.abs(logs - center)))
    values = np.clip(logs, center - reach, center + reach) if reach else logs
    sums = np.cumsum(values)
    before = np.arange(1, count)
    gain = (sums[:-1] - sums[-1] * before / count) ** 2 * count / (before * (count - before))
    gain[: fewest - 1] = gain[count - fewest :] = 0
    place = int(np.argmax(gain)) + 1
    total = float(np.sum((values - values.mean()) ** 2))
    left = total - float(gain[place - 1])
    if total <= 0:
        return None
    parts = values - np.where(np.arange(count) < place, values[:place].mean(), values[place:].mean())
    correlation = _correlate_residuals(parts)
    independent = count * (1 - correlation) / (1 + correlation)
    return place if independent * math.log(total / max(left, 1e-12)) > _PENALTY * math.log(count) else None


def _count_outliers(samples: Durations) -> tuple[int, int]:
    low, high = np.quantile(samples, [0.25, 0.75]) if samples.size else (0.0, 0.0)
    severe = int(np.sum(samples > high + 3 * (high - low)))
    return int(np.sum(samples > high + 1.5 * (high - low))) - severe, severe


def _correlate(runs: Sequence[Durations]) -> float:
    """Lag-one autocorrelation of logs about each run's own mean, pooled; never below 0."""
    logs = [_to_logs(run) for run in runs if run.size > 1]
    centred = [log - log.mean() for log in logs]
    square = sum(float(np.sum(values**2)) for values in centred)
    if not square:
        return 0.0
    return min(max(sum(float(np.sum(values[1:] * values[:-1])) for values in centred) / square, 0.0), 0.99)


def _correlate_residuals(values: NDArray[np.float64]) -> float:
    square = float(np.sum(values**2))
    return min(max(float(np.sum(values[1:] * values[:-1])) / square, 0.0), 0.99) if square else 0.0


def _to_logs(samples: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(np.log(np.maximum(samples, 1)), dtype=np.float64)


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None
