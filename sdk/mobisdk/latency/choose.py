"""From a budget to a network: the most accurate that fits, and what would make that surer."""

import dataclasses
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import numpy as np

from mobisdk.errors import ConfigError, DataError
from mobisdk.latency.analysis import AnalysisReport
from mobisdk.latency.known_accuracy import AccuracyAt, AccuracyBook, family
from mobisdk.latency.observations import Observation, Setting, measured, setting_of
from mobisdk.latency.predict import LatencyModel, fit_model
from mobisdk.latency.record import Durations, Mode
from mobisdk.latency.stats import Quantile, estimate_quantile
from mobisdk.specs import ModelSpec

_ALPHAS: Final = tuple(round(0.05 * step, 2) for step in range(2, 41))
_RESOLUTIONS: Final = tuple(range(32, 513, 32))
_BITS = re.compile(r"(?:fp|int|palette_)(\d+)(?:bit)?$")
RUNNERS_UP: Final = 3
TO_MEASURE: Final = 2


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a network may cost, and how good it must be at least.

    Raises:
        ConfigError: a value is outside what is allowed.
    """

    max_latency_ms: float
    percentile: float = 50.0
    max_size_mb: float | None = None
    min_accuracy: float | None = None
    sustained: bool = False
    """Whether the latency is that of a phone that has been at it for a while."""

    def __post_init__(self) -> None:
        """Check every field."""
        for name, most in (("max_latency_ms", 1e6), ("max_size_mb", 1e6), ("min_accuracy", 1.0)):
            value = getattr(self, name)
            if value is not None and not 0 < value <= most:
                raise ConfigError(f"{name} is wrong", got=value, allowed=f"above 0, at most {most:g}")
        if not 1 <= self.percentile <= 99.9:
            raise ConfigError("percentile is wrong", got=self.percentile, allowed="1 to 99.9")


@dataclasses.dataclass(frozen=True)
class LatencyAt:
    """A network's latency in one setting: measured, or predicted with its interval."""

    setting: Setting
    ms: float
    low_ms: float | None
    high_ms: float | None
    source: Literal["measured", "predicted"]
    cautions: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A network in a recipe, with all that a budget asks of it."""

    spec: ModelSpec
    recipe: str
    accuracy: AccuracyAt
    size_mb: float
    latencies: tuple[LatencyAt, ...]
    """One a device."""

    @property
    def worst(self) -> LatencyAt:
        """On the slowest of the devices."""
        return max(self.latencies, key=lambda latency: latency.ms)

    def lacks(self, budget: Budget) -> list[str]:
        """Say what keeps it from fitting; empty where it fits."""
        most = budget.max_latency_ms
        lacking = [
            f"{latency.ms:.3g} ms on {latency.setting.device}, {latency.ms - most:.3g} too many"
            for latency in self.latencies
            if latency.ms > most
        ]
        if budget.max_size_mb is not None and self.size_mb > budget.max_size_mb:
            lacking.append(f"{self.size_mb:.3g} MB, {self.size_mb - budget.max_size_mb:.3g} too many")
        if budget.min_accuracy is not None and self.accuracy.share < budget.min_accuracy:
            points = 100 * (budget.min_accuracy - self.accuracy.share)
            lacking.append(f"{100 * self.accuracy.share:.1f} % right, {points:.2g} points too few")
        return lacking

    def shortfall(self, budget: Budget) -> float:
        """How far it is from fitting: the sum of what it lacks, each as a share of its bound; 0 where it fits."""
        over = sum(max(latency.ms / budget.max_latency_ms - 1, 0) for latency in self.latencies)
        if budget.max_size_mb is not None:
            over += max(self.size_mb / budget.max_size_mb - 1, 0)
        if budget.min_accuracy is not None:
            over += max(1 - self.accuracy.share / budget.min_accuracy, 0)
        return over

    def may_fit(self, budget: Budget) -> bool:
        """Tell whether its intervals leave open that it fits."""
        sizes = budget.max_size_mb is None or self.size_mb <= budget.max_size_mb
        good = budget.min_accuracy is None or self.accuracy.share >= budget.min_accuracy
        lows = [latency.ms if latency.low_ms is None else latency.low_ms for latency in self.latencies]
        return sizes and good and max(lows) <= budget.max_latency_ms

    def surely_fits(self, budget: Budget) -> bool:
        """Tell whether its intervals leave no doubt that it fits."""
        highs = [latency.ms if latency.high_ms is None else latency.high_ms for latency in self.latencies]
        return not self.lacks(budget) and max(highs) <= budget.max_latency_ms


@dataclasses.dataclass(frozen=True)
class Choice:
    """The answer: a winner, or what comes nearest."""

    winner: Candidate | None
    runners_up: tuple[Candidate, ...]
    front: tuple[Candidate, ...]
    """The Pareto front of accuracy against the slowest device's latency, the fastest first."""
    nearest: Candidate | None
    """Where nothing fits: the candidate that lacks least."""
    to_measure: tuple[Candidate, ...]
    """Whose measurement would make the answer surer, most useful first."""
    candidates: int
    unknown_recipes: tuple[str, ...]
    """Recipes that were measured, and whose accuracy is not known."""


def choose_network(candidates: Sequence[Candidate], budget: Budget, unknown_recipes: tuple[str, ...] = ()) -> Choice:
    """Choose among `candidates`: the most accurate that fits, of equally accurate ones the fastest.

    Raises:
        DataError: there is no candidate.
    """
    if not candidates:
        raise DataError(
            "there is no network whose accuracy and latency are both known",
            got=list(unknown_recipes),
            hint="Give --accuracy of the recipes that were measured",
        )
    ranked = sorted(candidates, key=lambda each: (-each.accuracy.share, each.worst.ms))
    fitting = [each for each in ranked if not each.lacks(budget)]
    winner = fitting[0] if fitting else None
    nearest = None if winner else min(candidates, key=lambda each: (each.shortfall(budget), -each.accuracy.share))
    return Choice(
        winner,
        tuple(fitting[1 : 1 + RUNNERS_UP]),
        _find_front(candidates),
        nearest,
        _find_doubtful(ranked, winner, budget),
        len(candidates),
        unknown_recipes,
    )


def _find_front(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    front: list[Candidate] = []
    for each in sorted(candidates, key=lambda each: (each.worst.ms, -each.accuracy.share)):
        if not front or each.accuracy.share > front[-1].accuracy.share:
            front.append(each)
    return tuple(front)


def _find_doubtful(ranked: Sequence[Candidate], winner: Candidate | None, budget: Budget) -> tuple[Candidate, ...]:
    """Find the winner, where its own fit is in doubt or was not measured, and what would beat it if it fitted."""
    doubtful = [] if winner is None or _is_measured(winner) else [winner]
    for each in ranked:
        if each is winner:
            break
        if each.may_fit(budget) and not each.surely_fits(budget) and not _is_measured(each):
            doubtful.append(each)
    return tuple(doubtful[:TO_MEASURE])


def _is_measured(candidate: Candidate) -> bool:
    return all(latency.source == "measured" for latency in candidate.latencies)


def list_candidates(
    report: AnalysisReport, devices: Sequence[Setting], book: AccuracyBook, budget: Budget,
    recipes: Sequence[str], size_of: Callable[[ModelSpec, str], float],
) -> tuple[list[Candidate], tuple[str, ...]]:  # fmt: skip
    """List every network whose accuracy is known, in every recipe, with its latency in each of `devices`.

    `devices` are settings whose recipe is replaced by each of `recipes`. The second answer are recipes without any
    known accuracy.
    """
    mode: Mode = "sustained" if budget.sustained else "burst"
    samples = {
        (setting_of(group), spec): [_steady(run) for run in warm.inference_ns]
        if budget.sustained
        else warm.inference_ns
        for group, spec, warm in measured(report, mode)
    }
    known = {key: estimate_quantile(runs, budget.percentile / 100) for key, runs in samples.items()}
    medians = {key: float(np.median(np.concatenate(runs))) for key, runs in samples.items()}
    observations = [Observation(setting, spec, max(ns, 1.0) / 1e6) for (setting, spec), ns in medians.items()]
    candidates: list[Candidate] = []
    unknown = []
    for recipe in recipes:
        settings = [_in_recipe(device, recipe, observations) for device in devices]
        specs = [(spec, accuracy) for spec in _search(book, observations) if (accuracy := book.at(spec, recipe))]
        if not specs:
            unknown.append(recipe)
            continue
        columns = []
        for setting in settings:
            model = fit_model(setting, observations)
            tail = _tail_ratio(setting, known, medians)
            columns.append(_latencies(model, [spec for spec, _ in specs], known, tail))
        for row, (spec, accuracy) in enumerate(specs):
            latencies = tuple(column[row] for column in columns)
            candidates.append(Candidate(spec, recipe, accuracy, size_of(spec, recipe), latencies))
    return candidates, tuple(unknown)


def _in_recipe(device: Setting, recipe: str, observations: Sequence[Observation]) -> Setting:
    """Find the device's setting of this recipe: its backend and version may be others."""
    fitting = [
        o.setting for o in observations
        if o.setting.device == device.device and o.setting.recipe == recipe and o.setting.threads == device.threads
    ]  # fmt: skip
    return fitting[0] if fitting else dataclasses.replace(device, recipe=recipe)


def _search(book: AccuracyBook, observations: Sequence[Observation]) -> list[ModelSpec]:
    """List the networks to look at: the measured ones, and steps of both dials between known accuracies."""
    found: dict[ModelSpec, None] = {}
    for each in book.families:
        dials = book.dials(each)
        alphas, resolutions = ({pair[axis] for pair in dials} for axis in (0, 1))
        taken = [o.spec for o in observations if family(o.spec) == each]
        alphas_tried = {a for a in _ALPHAS if min(alphas) < a < max(alphas)} | alphas | {s.alpha for s in taken}
        resolutions_tried = (
            {r for r in _RESOLUTIONS if min(resolutions) < r < max(resolutions)} | resolutions
            | {s.resolution for s in taken}
        )  # fmt: skip
        for alpha, resolution in itertools.product(sorted(alphas_tried), sorted(resolutions_tried)):
            found[dataclasses.replace(each, alpha=alpha, resolution=int(resolution))] = None
    return list(found)


def _latencies(
    model: LatencyModel, specs: Sequence[ModelSpec], known: Mapping[tuple[Setting, ModelSpec], Quantile], tail: float
) -> list[LatencyAt]:
    latencies = []
    low: float | None
    high: float | None
    for prediction in model.predict_all(specs):
        quantile = known.get((model.setting, prediction.spec))
        if quantile is not None:
            low, high = (None if bound is None else bound / 1e6 for bound in (quantile.low_ns, quantile.high_ns))
            latencies.append(LatencyAt(model.setting, quantile.value_ns / 1e6, low, high, "measured", ()))
        else:
            low, high = tail * prediction.low_ms, tail * prediction.high_ms
            ms = tail * prediction.latency_ms
            latencies.append(LatencyAt(model.setting, ms, low, high, "predicted", prediction.cautions))
    return latencies


def _tail_ratio(
    setting: Setting,
    known: Mapping[tuple[Setting, ModelSpec], Quantile],
    medians: Mapping[tuple[Setting, ModelSpec], float],
) -> float:
    """How many times the median the budget's percentile is, in this setting's measured networks; of all, for none."""
    ratios = {key: quantile.value_ns / medians[key] for key, quantile in known.items() if medians[key]}
    own = [ratio for (where, _), ratio in ratios.items() if where == setting] or list(ratios.values())
    return float(np.median(own)) if own else 1.0


def _steady(samples: Durations) -> Durations:
    """The later half of a sustained run: what is left when the phone is warm."""
    return samples[samples.size // 2 :]


def estimate_size_mb(spec: ModelSpec, recipe: str) -> float:
    """Size of the weights in the recipe's bits, in megabytes (10⁶ bytes); 32 bits where its name does not say."""
    from mobisdk.latency.layer_features import count_parameters

    bits = _BITS.search(recipe)
    return count_parameters(spec) * (int(bits[1]) if bits else 32) / 8 / 1e6
