"""How far a median moved between two sets of runs, and how sure that is.

The shift is the difference of the mean logarithm of the runs' medians: a slowdown is a factor, and the run is the unit
of independence. Its bounds are Welch's t. That the mean of log medians is biased for the pooled median (see `stats`)
does not matter here: both sides have the same bias, and where nothing changed it cancels.

Source: Welch 1947, Biometrika 34, 28-35; bounds on both sides of an equivalence margin are Schuirmann's two one-sided
tests, 1987, J. Pharmacokinetics and Biopharmaceutics 15, 657-680.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from mobisdk.latency.record import Durations
from mobisdk.latency.stats import ENOUGH_RUNS

ERROR_RATE: Final = 0.01
"""Chance of one false alarm among all comparisons made together."""
MOST_RUNS: Final = 1000
"""A verdict that would need more runs a side than this is out of reach."""
Verdict = Literal["slower", "faster", "same", "cannot tell"]


@dataclasses.dataclass(frozen=True)
class Shift:
    """NEW against OLD: `change` is 0.1 where NEW takes a tenth longer; `low` and `high` are its one-sided bounds.

    Without bounds, `reason` says why. `runs_to_tell` is how many runs a side would do, given how much these differ;
    null where the verdict stands, and where no number up to `MOST_RUNS` would do.
    """

    change: float
    low: float | None
    high: float | None
    verdict: Verdict
    reason: str | None
    runs_to_tell: int | None


def estimate_shift(old: Sequence[Durations], new: Sequence[Durations], threshold: float, comparisons: int = 1) -> Shift:
    """Compare the runs of two sides, each run at least one positive sample of shape (samples,).

    Slower: the lower bound is above zero and the change at least `threshold`. Faster is its mirror image. Same: both
    bounds are nearer to zero than the threshold. Each bound is missed with a chance of at most `ERROR_RATE` divided by
    `comparisons`, so that twenty variants together raise no more false alarms than one.
    """
    logs_old, logs_new = _log_medians(old), _log_medians(new)
    moved = float(logs_new.mean() - logs_old.mean())
    fewest = min(len(old), len(new))
    if fewest < ENOUGH_RUNS:
        reason = f"{fewest} run{'s' * (fewest > 1)} on one side; a verdict needs {ENOUGH_RUNS}"
        return Shift(math.expm1(moved), None, None, "cannot tell", reason, 2 * ENOUGH_RUNS)
    variances = [float(logs.var(ddof=1)) for logs in (logs_old, logs_new)]
    parts = [variance / logs.size for variance, logs in zip(variances, (logs_old, logs_new), strict=True)]
    error = math.sqrt(sum(parts))
    tail = ERROR_RATE / comparisons
    reach = 0.0
    if error:
        freedom = sum(parts) ** 2 / sum(
            part**2 / (logs.size - 1) for part, logs in zip(parts, (logs_old, logs_new), strict=True)
        )
        reach = _t_factor(freedom, tail) * error
    margin = math.log1p(threshold)
    verdict = _judge(moved, reach, margin)
    return Shift(
        math.expm1(moved),
        math.expm1(moved - reach),
        math.expm1(moved + reach),
        verdict,
        None if verdict != "cannot tell" else "the runs differ too much for so small a change",
        None if verdict != "cannot tell" else _count_runs_to_tell(moved, sum(variances), margin, tail, fewest),
    )


def _judge(moved: float, reach: float, margin: float) -> Verdict:
    """Judge a change on the logarithmic scale, where `margin` is the threshold and `reach` the bounds' distance."""
    if moved - reach > 0 and moved >= margin:
        return "slower"
    if moved + reach < 0 and moved <= -margin:
        return "faster"
    if abs(moved) + reach < margin:
        return "same"
    return "cannot tell"


def _count_runs_to_tell(moved: float, variance: float, margin: float, tail: float, have: int) -> int | None:
    """Count the runs a side after which this change with this noise would have a verdict."""
    for runs in range(have + 1, MOST_RUNS + 1):
        reach = _t_factor(2 * (runs - 1), tail) * math.sqrt(variance / runs)
        if _judge(moved, reach, margin) != "cannot tell":
            return runs
    return None


def _log_medians(runs: Sequence[Durations]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Logarithm of each run's median; a clock too coarse for the network has medians of nothing, taken as 1 ns."""
    return np.log([max(float(np.median(run)), 1.0) for run in runs])


def _t_factor(freedom: float, tail: float) -> float:
    from scipy.special import stdtrit  # scipy.stats has the same number and takes a second to import

    return float(stdtrit(freedom, 1 - tail))
