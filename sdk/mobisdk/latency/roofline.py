"""A physically shaped model of latency, and what the shape leaves over.

A layer takes the longer of its arithmetic and its traffic (softly: the root of the sum of their squares), and an
overhead; a network takes the sum over its layers, and an overhead of its own. The seven rates are what is learnt: a
nanosecond a multiply-add for each kind of layer, a nanosecond a value moved, and the two overheads, all as logarithms.
What a roofline cannot know (caches, tiles of a kernel) varies smoothly in α and ρ, so a Gaussian process over them
takes the rest. Both together are one Gaussian model of the log latency, linear in the rates about their best fit:
its variance gives the interval, which widens away from what was measured. How much the process and a measurement vary
is not chosen but averaged over, each possibility as likely as it makes what was measured: few networks cannot tell.

Source: Williams, Waterman and Patterson 2009, Communications of the ACM 52(4), 65-76 (the roofline); Rasmussen and
Williams 2006, Gaussian Processes for Machine Learning, sections 2.2, 2.7 (a model linear in parameters with a process
on its residual), 5.2 (averaging over what a process is like) and 5.4.1 (marginal likelihood).
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mobisdk.latency.layer_features import KINDS, Layers

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

_MOVED, _LAYER, _NETWORK = (len(KINDS) + place for place in range(3))
RATES: Final = len(KINDS) + 3
_TYPICAL_NS: Final = (0.03, 0.1, 0.05, 0.1, 0.2, 3000.0, 20_000.0)
"""What a phone's core takes: for a multiply-add of each kind, a value moved, a layer, a network."""
_SPEED_SPREAD, _RATE_SPREAD = 1.5, 0.7
"""How far, as a logarithm, a device is faster or slower than typical in all, and in one rate besides."""
_FIT_ERROR = 0.05
_ALPHA_REACH, _RESOLUTION_REACH, _OTHER_ARCH = 0.5, 0.4, 0.5
"""How far the residual of a network tells that of another: in log α, in log ρ; less so across architectures."""
SPREADS: Final = tuple(itertools.product((0.01, 0.02, 0.04, 0.08, 0.16), (0.005, 0.01, 0.02, 0.04, 0.08)))
"""Standard deviations, as logarithms, of what a roofline may leave over, and of a measurement."""


@dataclasses.dataclass(frozen=True)
class Prior:
    """What is expected of the log rates before anything is measured: mean of shape (7,), covariance of shape (7, 7)."""

    mean: Vector
    covariance: Matrix


def typical_prior() -> Prior:
    """Expect some phone or computer."""
    covariance = np.full((RATES, RATES), _SPEED_SPREAD**2) + _RATE_SPREAD**2 * np.eye(RATES)
    return Prior(np.log(_TYPICAL_NS), covariance)


@dataclasses.dataclass(frozen=True)
class Place:
    """A network as the model sees it: its layers, and where it lies among its relatives."""

    layers: Layers
    arch: str
    alpha: float
    resolution: int


@dataclasses.dataclass(frozen=True)
class Fit:
    """A fitted model; `predict` is all that is asked of it."""

    places: tuple[Place, ...]
    log_ns: Vector
    """Measured, shape (places,)."""
    prior: Prior
    rates: Vector
    """Best fit of the log rates, shape (7,)."""
    weights: Vector
    """How likely each of `SPREADS` is after what was measured, shape (25,)."""

    def predict(self, places: Sequence[Place]) -> tuple[Vector, Vector]:
        """Mean and standard deviation of the log latency in nanoseconds of a measurement at `places`."""
        value, slope = linearize(places, self.rates)
        mean = value + slope @ (self.prior.mean - self.rates)
        own = np.einsum("ij,jk,ik->i", slope, self.prior.covariance, slope)
        if not self.places:
            variances = [own + residual**2 + noise**2 for residual, noise in SPREADS]
            return mean, np.sqrt(self.weights @ np.array(variances))
        known_value, known_slope = linearize(self.places, self.rates)
        surprise = self.log_ns - known_value - known_slope @ (self.prior.mean - self.rates)
        from_rates, alike = slope @ self.prior.covariance @ known_slope.T, likeness(places, self.places)
        means, variances = [], []
        for residual, noise in SPREADS:
            covariance = _covariance(self.places, known_slope, self.prior, residual, noise)
            across = from_rates + residual**2 * alike
            told = np.linalg.solve(covariance, across.T).T
            left = own + residual**2 + noise**2 - np.sum(told * across, axis=1)
            means.append(mean + told @ surprise)
            variances.append(np.maximum(left, noise**2))
        together = self.weights @ np.array(means)
        spread = self.weights @ (np.array(variances) + (np.array(means) - together) ** 2)
        return together, np.sqrt(spread)


def fit_roofline(places: Sequence[Place], log_ns: Vector, prior: Prior) -> Fit:
    """Fit the model to log latencies in nanoseconds of shape (places,), from the `prior` on; places may be none."""
    if not places:
        return Fit((), log_ns, prior, prior.mean, np.full(len(SPREADS), 1 / len(SPREADS)))
    from scipy.optimize import least_squares

    whiten = np.linalg.inv(np.linalg.cholesky(prior.covariance))

    def errors(rates: Vector) -> Vector:
        value, _ = linearize(places, rates)
        return np.concatenate([(value - log_ns) / _FIT_ERROR, whiten @ (rates - prior.mean)])

    def slopes(rates: Vector) -> Matrix:
        _, slope = linearize(places, rates)
        return np.concatenate([slope / _FIT_ERROR, whiten])

    rates = least_squares(errors, prior.mean, jac=slopes).x
    value, slope = linearize(places, rates)
    surprise = log_ns - value - slope @ (prior.mean - rates)
    costs = np.array([_cost(_covariance(places, slope, prior, *each), surprise) for each in SPREADS])
    weights = np.exp((costs.min() - costs) / 2)
    return Fit(tuple(places), log_ns, prior, rates, weights / weights.sum())


def linearize(places: Sequence[Place], rates: Vector) -> tuple[Vector, Matrix]:
    """Log latency of each place at `rates`, shape (places,), and its slope, shape (places, 7)."""
    ns = np.exp(rates)
    value, slope = np.empty(len(places)), np.zeros((len(places), RATES))
    for row, place in enumerate(places):
        kinds = place.layers[:, 0].astype(np.intp)
        arithmetic, traffic = place.layers[:, 1] * ns[kinds], place.layers[:, 2] * ns[_MOVED]
        longer = np.hypot(arithmetic, traffic)
        slope[row, : len(KINDS)] = np.bincount(kinds, arithmetic**2 / longer, minlength=len(KINDS))
        slope[row, _MOVED] = np.sum(traffic**2 / longer)
        slope[row, _LAYER], slope[row, _NETWORK] = len(kinds) * ns[_LAYER], ns[_NETWORK]
        total = longer.sum() + slope[row, _LAYER] + slope[row, _NETWORK]
        slope[row] /= total
        value[row] = np.log(total)
    return value, slope


def _covariance(places: Sequence[Place], slope: Matrix, prior: Prior, residual: float, noise: float) -> Matrix:
    own = residual**2 * likeness(places, places) + noise**2 * np.eye(len(places))
    return np.asarray(slope @ prior.covariance @ slope.T + own)


def likeness(some: Sequence[Place], others: Sequence[Place]) -> Matrix:
    """How much the residual at one place tells of that at another, 0 to 1, shape (some, others)."""
    where = [
        np.array([[np.log(p.alpha) / _ALPHA_REACH, np.log(p.resolution) / _RESOLUTION_REACH] for p in places])
        for places in (some, others)
    ]
    distance = np.sum((where[0][:, None] - where[1][None]) ** 2, axis=2)
    same = np.array([[one.arch == other.arch for other in others] for one in some])
    return np.asarray(np.exp(-distance / 2) * np.where(same, 1.0, _OTHER_ARCH))


def _cost(covariance: Matrix, surprise: Vector) -> float:
    """Twice the negative log marginal likelihood, without its constant."""
    _, logarithm = np.linalg.slogdet(covariance)
    return float(logarithm + surprise @ np.linalg.solve(covariance, surprise))
