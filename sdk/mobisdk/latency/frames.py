"""The figures of logs of any size: the same Narwhals expressions on DuckDB and on Spark, with the same results.

Quantiles are exact, by counting. A first pass counts samples in bins that are as wide as the root of their value, some
hundreds a group; the ranks that are asked for fall into known bins, and a second pass counts the integer nanoseconds in
these alone. What comes back is bounded by the width of a bin, however many samples there are, where an engine's own
quantile keeps them all. Intervals take two more passes: `stats` says what they are.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mobisdk.latency.stats import Quantile, cluster_interval, cluster_reason

_BINS_A_ROOT: Final = 0.5
"""Bins a root of a nanosecond: at 2 ms a bin is 0.3 % wide, at 200 ms 0.03 %. A root is cheaper than a logarithm."""
_BINS: Final = 2**32
"""More than there are: a group and a bin are one number, which engines group by faster than by two."""
_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
Upload = Callable[[pa.Table], "nw.LazyFrame[Any]"]
"""Give the engine a small table."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """A group's figures: by quantile, and of all samples."""

    runs: int
    samples: int
    mean_ns: float
    mad_ns: float
    quantiles: dict[float, Quantile]


def estimate_medians(samples: "nw.LazyFrame[Any]", upload: Upload) -> dict[int, Quantile]:
    """Estimate the median alone of each group, in fewer passes; columns are those of `estimate_groups`."""
    found = _estimate(samples, upload, (0.5,), with_deviation=False)
    return {group: figures.quantiles[0.5] for group, figures in found.items()}


def estimate_groups(samples: "nw.LazyFrame[Any]", upload: Upload, quantiles: Sequence[float]) -> dict[int, Figures]:
    """Estimate each group of `samples`, whose columns are `group` (a number), `run` (an id) and `ns`."""
    return _estimate(samples, upload, quantiles, with_deviation=True)


def _estimate(
    samples: "nw.LazyFrame[Any]", upload: Upload, quantiles: Sequence[float], *, with_deviation: bool
) -> dict[int, Figures]:
    binned = samples.with_columns(key=_key())
    coarse = _Coarse.count(binned)
    if not coarse.groups.size:
        return {}
    wanted = sorted({0.5, *quantiles})
    shares = np.repeat(np.asarray(wanted)[:, None], coarse.groups.size, axis=1)
    values = dict(zip(wanted, _quantiles(coarse, binned, upload, shares), strict=True))
    errors, runs = _share_errors(samples, upload, coarse, values)
    mads = np.zeros(coarse.groups.size)
    if with_deviation:
        deviations = _deviations(samples, upload, coarse.groups, values[0.5])
        (mads,) = _quantiles(_Coarse.count(deviations), deviations, upload, np.full((1, coarse.groups.size), 0.5))
    intervals = _intervals(coarse, binned, upload, errors, runs)
    return {
        int(group): Figures(
            int(runs[place]),
            int(coarse.totals[place]),
            float(coarse.sums[place] / coarse.totals[place]),
            float(mads[place]),
            {q: Quantile(round(values[q][place]), *intervals[q][place]) for q in quantiles},
        )
        for place, group in enumerate(coarse.groups)
    }


def estimate_percentiles(
    samples: "nw.LazyFrame[Any]", upload: Upload, quantiles: Sequence[float]
) -> tuple[_Ints, dict[float, _Floats]]:
    """Return groups and their quantiles in nanoseconds, without intervals: two passes."""
    binned = samples.with_columns(key=_key())
    coarse = _Coarse.count(binned)
    shares = np.repeat(np.asarray(quantiles, dtype=np.float64)[:, None], coarse.groups.size, axis=1)
    values = _quantiles(coarse, binned, upload, shares)
    return coarse.groups, dict(zip(quantiles, values, strict=True))


def _key() -> "nw.Expr":
    """A group and the bin of its sample, as one number."""
    bin_ = (nw.col("ns").cast(nw.Float64).sqrt() * _BINS_A_ROOT).floor().cast(nw.Int64)
    return nw.col("group") * _BINS + bin_


@dataclasses.dataclass(frozen=True)
class _Coarse:
    """How many samples each bin of each group holds, sorted by both."""

    groups: _Ints
    totals: _Ints
    sums: _Floats
    starts: _Ints
    """Where each group begins among the bins; one more at the end."""
    bins: _Ints
    before: _Ints
    """Samples of the group in smaller bins."""

    @classmethod
    def count(cls, binned: "nw.LazyFrame[Any]") -> "_Coarse":
        counted = (
            binned.group_by("key")
            .agg(n=nw.col("ns").count(), total=nw.col("ns").cast(nw.Float64).sum())
            .collect("pyarrow")
            .to_native()
            .sort_by("key")
        )
        key, n, total = (counted[name].to_numpy() for name in ("key", "n", "total"))
        group, bins = key // _BINS, key % _BINS
        groups, starts = np.unique(group, return_index=True)
        ends = np.append(starts, len(group))
        cumulative = np.concatenate([[0], np.cumsum(n)]).astype(np.int64)
        totals = cumulative[ends[1:]] - cumulative[ends[:-1]]
        before = cumulative[:-1] - np.repeat(cumulative[starts], np.diff(ends))
        sums = np.add.reduceat(total, starts) if len(group) else np.empty(0)
        return cls(groups, totals, sums, ends, bins.astype(np.int64), before)

    def find(self, place: int, rank: int) -> int:
        """Find the bin, as its place, that holds the group's `rank`-th smallest sample, from 0."""
        first, last = self.starts[place], self.starts[place + 1]
        return int(first + np.searchsorted(self.before[first:last], rank, side="right") - 1)


def _quantiles(coarse: _Coarse, binned: "nw.LazyFrame[Any]", upload: Upload, shares: _Floats) -> _Floats:
    """Quantiles of each group at `shares` of shape (any, groups), interpolated as NumPy does; NaN gives NaN.

    However many are asked for, the samples are read once.
    """
    known = ~np.isnan(shares)
    position = np.where(known, shares, 0) * (coarse.totals - 1)
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, coarse.totals - 1)
    places = np.broadcast_to(np.arange(coarse.groups.size), shares.shape)
    ranks = np.stack([low, high])
    both = np.stack([places, places])
    found = np.array(
        [coarse.find(int(place), int(rank)) for place, rank in zip(both.ravel(), ranks.ravel(), strict=True)],
        dtype=np.int64,
    ).reshape(ranks.shape)  # fmt: skip
    fine = _fine_counts(coarse, binned, upload, np.unique(found))
    values = np.array(
        [fine[int(bin_)](int(rank)) for bin_, rank in zip(found.ravel(), ranks.ravel(), strict=True)], dtype=np.float64
    ).reshape(ranks.shape)  # fmt: skip
    part = position - low
    step = values[1] - values[0]
    # The same order of operations as numpy.quantile, so that the last digit is the same too.
    interpolated = np.where(part < 0.5, values[0] + step * part, values[1] - step * (1 - part))
    return np.where(known, interpolated, np.nan)


def _fine_counts(
    coarse: _Coarse, binned: "nw.LazyFrame[Any]", upload: Upload, places: _Ints
) -> dict[int, Callable[[int], int]]:
    """Count the nanoseconds in some bins; each answer gives the sample of a rank in its group."""
    owner = np.searchsorted(coarse.starts, places, side="right") - 1
    pairs = pa.table({"key": coarse.groups[owner] * _BINS + coarse.bins[places], "place": places})
    counted = (
        binned.join(upload(pairs), on="key", how="inner")
        .group_by("place", "ns")
        .agg(n=nw.len())
        .collect("pyarrow")
        .to_native()
        .sort_by([("place", "ascending"), ("ns", "ascending")])
    )
    place, ns, n = (counted[name].to_numpy() for name in ("place", "ns", "n"))
    found: dict[int, Callable[[int], int]] = {}
    for bin_ in places.tolist():
        first, last = np.searchsorted(place, [bin_, bin_ + 1])
        values, upto = ns[first:last], np.cumsum(n[first:last])
        offset = int(coarse.before[bin_])
        found[bin_] = lambda rank, values=values, upto=upto, offset=offset: int(  # type: ignore[misc]
            values[np.searchsorted(upto, rank - offset, side="right")]
        )
    return found


def _share_errors(
    samples: "nw.LazyFrame[Any]", upload: Upload, coarse: _Coarse, values: dict[float, _Floats]
) -> tuple[dict[float, _Floats], _Ints]:
    """Standard errors of the shares of samples at or below each quantile, with runs as clusters; and the runs."""
    names = {q: f"v{index}" for index, q in enumerate(values)}
    bounds = upload(pa.table({"group": coarse.groups, **{names[q]: value for q, value in values.items()}}))
    below = {f"b{name}": (nw.col("ns") <= nw.col(name)).cast(nw.Int64).sum() for name in names.values()}
    by_run = (
        samples.join(bounds, on="group", how="inner").group_by("group", "run").agg(size=nw.col("ns").count(), **below)
    )
    size = nw.col("size").cast(nw.Float64)
    sums: dict[str, nw.Expr] = {"runs": nw.len(), "ss": (size * size).sum()}
    for name in names.values():
        count = nw.col(f"b{name}").cast(nw.Float64)
        sums |= {f"b_{name}": count.sum(), f"bb_{name}": (count * count).sum(), f"bs_{name}": (count * size).sum()}
    counted = by_run.group_by("group").agg(**sums).collect("pyarrow").to_native().sort_by("group")
    runs = counted["runs"].to_numpy().astype(np.int64)
    errors = {}
    for q, name in names.items():
        b, bb, bs, ss = (counted[key].to_numpy() for key in (f"b_{name}", f"bb_{name}", f"bs_{name}", "ss"))
        share = b / coarse.totals
        squares = np.maximum(bb - 2 * share * bs + share**2 * ss, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            errors[q] = np.sqrt(runs / (runs - 1) * squares) / coarse.totals
    return errors, runs


def _intervals(
    coarse: _Coarse, binned: "nw.LazyFrame[Any]", upload: Upload, errors: dict[float, _Floats], runs: _Ints
) -> dict[float, list[tuple[int | None, int | None, str | None]]]:
    """Bounds of each quantile in each group, or why it has none."""
    reasons = {
        q: [
            cluster_reason(int(count), int(samples), float(error), q)
            for count, samples, error in zip(runs, coarse.totals, errors[0.5], strict=True)
        ]
        for q in errors
    }
    shares = np.full((len(errors), 2, coarse.groups.size), np.nan)
    for row, q in enumerate(errors):
        for place, reason in enumerate(reasons[q]):
            if reason is None:
                shares[row, :, place] = cluster_interval(int(runs[place]), float(errors[q][place]), q)
    bounds = _quantiles(coarse, binned, upload, shares.reshape(-1, coarse.groups.size)).reshape(shares.shape)
    return {
        q: [
            (round(low), round(high), None) if reason is None else (None, None, reason)
            for low, high, reason in zip(*bounds[row], reasons[q], strict=True)
        ]
        for row, q in enumerate(errors)
    }


def _deviations(samples: "nw.LazyFrame[Any]", upload: Upload, groups: _Ints, medians: _Floats) -> "nw.LazyFrame[Any]":
    """How far each sample is from its group's median, in whole nanoseconds."""
    center = upload(pa.table({"group": groups, "center": np.rint(medians).astype(np.int64)}))
    moved = samples.join(center, on="group", how="inner").with_columns(ns=(nw.col("ns") - nw.col("center")).abs())
    return moved.with_columns(key=_key())
