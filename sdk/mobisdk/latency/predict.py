"""Latency of a network that nobody has run, from those that somebody has.

One model for each device × runtime × backend × threads × recipe. Where a device has few networks measured, the other
devices' rates are its prior: a device is mostly as much faster or slower in everything.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from mobisdk.errors import DataError
from mobisdk.latency.layer_features import read_layers
from mobisdk.latency.observations import Observation, Setting
from mobisdk.latency.roofline import RATES, Fit, Place, Prior, fit_roofline, typical_prior
from mobisdk.specs import ModelSpec

CONFIDENCE: Final = 0.95
ENOUGH: Final = 8
"""From so many networks on, a device's own measurements carry its model."""
FEWEST_TO_EVALUATE: Final = 4
_SPEED_SPREAD, _RATE_SPREAD = 1.0, 0.4
"""How far a device is from the mean of the others, as a logarithm, in all and in one rate besides."""


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A latency with the interval that holds a measurement of it with 95 %; reasons to trust it less are in words."""

    spec: ModelSpec
    latency_ms: float
    low_ms: float
    high_ms: float
    cautions: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class LatencyModel:
    """A fitted model of one setting."""

    setting: Setting
    observations: tuple[Observation, ...]
    fit: Fit
    prior_devices: tuple[str, ...]
    """Devices whose rates it started from; empty where its own measurements suffice."""

    def predict(self, spec: ModelSpec) -> Prediction:
        """Predict one network.

        Raises:
            ConfigError: the architecture is unknown.
        """
        return self.predict_all([spec])[0]

    def predict_all(self, specs: Sequence[ModelSpec]) -> list[Prediction]:
        """Predict several networks at once."""
        mean, error = self.fit.predict([_place(spec) for spec in specs])
        freedom = max(len(self.observations) - 1, 2)
        reach = _t_factor(freedom) * error
        value, low, high = np.exp([mean, mean - reach, mean + reach]) / 1e6
        return [
            Prediction(spec, float(value[row]), float(low[row]), float(high[row]), self._find_cautions(spec))
            for row, spec in enumerate(specs)
        ]

    def _find_cautions(self, spec: ModelSpec) -> tuple[str, ...]:
        cautions = []
        if len(self.observations) < ENOUGH:
            measured = len(self.observations)
            here = f"{measured} network{'s' * (measured != 1)} measured on this device"
            others = len(self.prior_devices)
            start = f"{others} other device{'s' * (others != 1)}" if others else "a typical phone"
            cautions.append(f"only {here}; the rest is a prior from {start}" if measured else f"prior from {start}")
        same = [o.spec for o in self.observations if o.spec.arch == spec.arch]
        if not same:
            return (*cautions, f"extrapolated: no {spec.arch} was measured here")
        for name, sign in (("alpha", "α"), ("resolution", "ρ")):
            value, known = getattr(spec, name), [getattr(other, name) for other in same]
            if not min(known) <= value <= max(known):
                cautions.append(
                    f"extrapolated: {sign} {value:g} is outside what was measured, {min(known):g} to {max(known):g}"
                )
        return tuple(cautions)


def fit_model(setting: Setting, observations: Sequence[Observation]) -> LatencyModel:
    """Fit the model of `setting`; observations of other devices in the same recipe are its prior where it has few.

    Raises:
        DataError: neither this device nor another was measured with the setting's recipe.
    """
    own = [o for o in observations if o.setting == setting]
    if len(own) >= ENOUGH:
        return _fit(setting, own, typical_prior(), ())
    peers: defaultdict[Setting, list[Observation]] = defaultdict(list)
    for observation in observations:
        other = observation.setting
        if other.device != setting.device and other.recipe == setting.recipe:
            peers[other].append(observation)
    fits = {other: _fit(other, theirs, typical_prior(), ()).fit for other, theirs in peers.items()}
    if not own and not fits:
        raise DataError(
            "nothing like this was measured", got=setting.label, hint="`mobisdk bench` or the app measures some"
        )
    if not fits:
        return _fit(setting, own, typical_prior(), ())
    rates = np.array([fit.rates for fit in fits.values()])
    covariance = np.full((RATES, RATES), _SPEED_SPREAD**2) + _RATE_SPREAD**2 * np.eye(RATES)
    devices = tuple(dict.fromkeys(other.device for other in fits))
    return _fit(setting, own, Prior(rates.mean(axis=0), covariance), devices)


def _fit(setting: Setting, own: Sequence[Observation], prior: Prior, devices: tuple[str, ...]) -> LatencyModel:
    log_ns = np.log([o.latency_ms * 1e6 for o in own])
    return LatencyModel(setting, tuple(own), fit_roofline([_place(o.spec) for o in own], log_ns, prior), devices)


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """A network's measurement beside what the model says that never saw it."""

    observation: Observation
    prediction: Prediction

    @property
    def error(self) -> float:
        """Of the prediction, as a share of the measurement."""
        return self.prediction.latency_ms / self.observation.latency_ms - 1


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Leave-one-out: every network predicted by a model of all the others of its setting."""

    rows: tuple[LeftOut, ...]

    @property
    def mape_percent(self) -> float:
        """Mean absolute error, in percent of the measurement."""
        return 100 * float(np.mean([abs(row.error) for row in self.rows]))

    @property
    def within_10_percent(self) -> float:
        """How many of a hundred predictions are within 10 % of the measurement."""
        return 100 * float(np.mean([abs(row.error) <= 0.1 for row in self.rows]))

    @property
    def in_interval_percent(self) -> float:
        """How many of a hundred measurements are in their prediction's interval; 95 are meant to be."""
        return 100 * float(
            np.mean(
                [row.prediction.low_ms <= row.observation.latency_ms <= row.prediction.high_ms for row in self.rows]
            )
        )


def evaluate(observations: Sequence[Observation]) -> Evaluation:
    """Leave each observation out in turn.

    Raises:
        DataError: a setting has too few observations.
    """
    settings: defaultdict[Setting, list[Observation]] = defaultdict(list)
    for observation in observations:
        settings[observation.setting].append(observation)
    rows = []
    for setting, own in settings.items():
        if len(own) < FEWEST_TO_EVALUATE:
            raise DataError(
                f"too few networks to leave one out of: {setting.label or 'the table'}",
                got=len(own),
                allowed=f"{FEWEST_TO_EVALUATE} or more",
            )
        for left_out in own:
            others = [other for other in observations if other is not left_out]
            rows.append(LeftOut(left_out, fit_model(setting, others).predict(left_out.spec)))
    return Evaluation(tuple(rows))


def _place(spec: ModelSpec) -> Place:
    return Place(read_layers(spec), spec.arch, spec.alpha, spec.resolution)


def _t_factor(freedom: int) -> float:
    from scipy.special import stdtrit  # scipy.stats has the same number and takes a second to import

    return float(stdtrit(freedom, 0.5 + CONFIDENCE / 2))
