"""How accurate a network is: as measured, or between networks that were, never beyond them.

Accuracy rises with α and with ρ, so what lies between measured networks is interpolated monotonically: on the lattice
of all measured α and ρ, holes are filled along its lines, the lattice is made monotone (the mean of the running
maximum from below and the running minimum from above, which both are), and inside a cell it is bilinear in the
logarithms of the dials.
"""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mobisdk.errors import DataError
from mobisdk.latency.observations import read_row_spec, read_table
from mobisdk.specs import ModelSpec

COLUMNS: Final = ("arch", "alpha", "resolution", "accuracy")
_FLOAT = re.compile(r"_fp(32|16)$")
"""Recipes that keep the accuracy of the network they were made from."""


@dataclasses.dataclass(frozen=True)
class KnownAccuracy:
    """The share of images that a network names right; of the trained network itself where `recipe` is null."""

    spec: ModelSpec
    recipe: str | None
    share: float
    source: str


@dataclasses.dataclass(frozen=True)
class AccuracyAt:
    """An accuracy, and whether it was measured there or lies between networks that were."""

    share: float
    is_interpolated: bool


def read_accuracy_table(path: Path) -> tuple[KnownAccuracy, ...]:
    """Read a CSV of `arch, alpha, resolution, accuracy[, recipe]`; accuracies are shares, or all of them percents.

    Raises:
        DataError: it is no such table, a column is missing, a value is wrong, or two rows disagree.
        ConfigError: an architecture is unknown.
    """
    rows: list[tuple[int, ModelSpec, str | None, float]] = []
    for line, row in read_table(path, COLUMNS):
        try:
            share = float(row["accuracy"])
        except ValueError:
            share = float("nan")
        if not 0 <= share <= 100:
            raise DataError(
                f"accuracy in line {line} of {str(path)!r} is wrong", got=row["accuracy"], allowed="a share or percent"
            )
        rows.append((line, read_row_spec(path, line, row), row.get("recipe") or None, share))
    scale = 100 if max(share for *_, share in rows) > 1 else 1
    found: dict[tuple[ModelSpec, str | None], tuple[int, float]] = {}
    for line, spec, recipe, share in rows:
        earlier, before = found.setdefault((spec, recipe), (line, share))
        if before != share:
            raise DataError(
                f"lines {earlier} and {line} of {str(path)!r} disagree about {spec.name}", got=[before, share]
            )
    return tuple(
        KnownAccuracy(spec, recipe, share / scale, f"line {line} of {path.name}")
        for (spec, recipe), (line, share) in found.items()
    )


class AccuracyBook:
    """What is known of accuracy, by family (all of a network but its dials) and recipe."""

    def __init__(self, known: Iterable[KnownAccuracy]) -> None:
        self._points: defaultdict[tuple[ModelSpec, str | None], dict[tuple[float, int], float]] = defaultdict(dict)
        self._lattices: dict[tuple[ModelSpec, str | None], _Lattice] = {}
        for each in known:
            self._points[family(each.spec), each.recipe][each.spec.alpha, each.spec.resolution] = each.share

    @property
    def families(self) -> tuple[ModelSpec, ...]:
        """Every family of which something is known."""
        return tuple(dict.fromkeys(each for each, _ in self._points))

    def dials(self, of: ModelSpec) -> list[tuple[float, int]]:
        """Every α and ρ at which a family's accuracy was measured in any recipe."""
        return sorted({dials for (each, _), points in self._points.items() if each == of for dials in points})

    def at(self, spec: ModelSpec, recipe: str) -> AccuracyAt | None:
        """Return the recipe's own accuracy; float recipes have the trained network's. Null where it is not known."""
        for key in ((family(spec), recipe), *([(family(spec), None)] if _FLOAT.search(recipe) else [])):
            points = self._points.get(key)
            if not points:
                continue
            dials = spec.alpha, spec.resolution
            if dials in points:
                return AccuracyAt(points[dials], is_interpolated=False)
            if key not in self._lattices:
                self._lattices[key] = _Lattice.build(points)
            share = self._lattices[key].at(*dials)
            if share is not None:
                return AccuracyAt(share, is_interpolated=True)
        return None


def family(spec: ModelSpec) -> ModelSpec:
    """All of a network but its dials."""
    return dataclasses.replace(spec, alpha=1.0, resolution=224)


@dataclasses.dataclass(frozen=True)
class _Lattice:
    """Shares that rise along both axes, NaN where nothing is known, shape (alphas, resolutions)."""

    log_alphas: NDArray[np.float64]
    log_resolutions: NDArray[np.float64]
    shares: NDArray[np.float64]

    @classmethod
    def build(cls, points: Mapping[tuple[float, int], float]) -> "_Lattice":
        alphas, resolutions = (sorted(set(values)) for values in zip(*points, strict=True))
        shares = np.full((len(alphas), len(resolutions)), np.nan)
        for (alpha, resolution), share in points.items():
            shares[alphas.index(alpha), resolutions.index(resolution)] = share
        axes = np.log(alphas), np.log(resolutions)
        for _ in range(2):  # a second time, along lines that the first one filled
            shares = _fill(shares, axes)
        rising = np.where(np.isnan(shares), -np.inf, shares)
        falling = np.where(np.isnan(shares), np.inf, shares)
        for axis in (0, 1):
            rising = np.maximum.accumulate(rising, axis=axis)
            falling = np.flip(np.minimum.accumulate(np.flip(falling, axis), axis=axis), axis)
        return cls(*axes, np.where(np.isnan(shares), np.nan, (rising + falling) / 2))

    def at(self, alpha: float, resolution: int) -> float | None:
        shares = self.shares
        for axis, (values, wanted) in enumerate(
            ((self.log_alphas, np.log(alpha)), (self.log_resolutions, np.log(resolution)))
        ):
            after = int(np.searchsorted(values, wanted))
            if after == len(values) or wanted < values[0]:
                return None
            if values[after] == wanted:
                shares = np.take(shares, [after], axis=axis)
                continue
            before = after - 1
            part = (wanted - values[before]) / (values[after] - values[before])
            lower, upper = (np.take(shares, [place], axis=axis) for place in (before, after))
            shares = lower + part * (upper - lower)
        share = float(shares[0, 0])
        return None if np.isnan(share) else share


def _fill(shares: NDArray[np.float64], axes: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Fill holes between two known values of a line; where two lines cross in a hole, by their mean."""
    guesses = np.full((2, *shares.shape), np.nan)
    for axis, places in enumerate(axes):
        for line, guess in zip(np.moveaxis(shares, axis, -1), np.moveaxis(guesses[axis], axis, -1), strict=True):
            known = ~np.isnan(line)
            if known.sum() > 1:
                guess[:] = np.interp(places, places[known], line[known], left=np.nan, right=np.nan)
    counts = np.sum(~np.isnan(guesses), axis=0)
    means = np.nansum(guesses, axis=0) / np.maximum(counts, 1)
    return np.where(np.isnan(shares) & (counts > 0), means, shares)
