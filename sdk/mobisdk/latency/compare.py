"""Has it become slower? Two analyses, device by device and variant by variant."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from mobisdk.errors import ConfigError, DataError
from mobisdk.latency.analysis import AnalysisReport, GroupReport, WarmReport
from mobisdk.latency.record import Device, Mode, RuntimeInfo
from mobisdk.latency.shift import Shift, Verdict, estimate_shift

THRESHOLD = 0.05
"""A change below this share is nobody's regression."""


@dataclasses.dataclass(frozen=True)
class VariantComparison:
    """One variant on one device by one runtime in one mode, before and after."""

    old: GroupReport
    new: GroupReport
    old_warm: WarmReport
    new_warm: WarmReport
    shift: Shift

    @property
    def mode(self) -> Mode:
        """The mode of both sides."""
        return self.new_warm.mode


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Every variant that both sides measured, and what only one of them did."""

    variants: tuple[VariantComparison, ...]
    only_old: tuple[GroupReport, ...]
    only_new: tuple[GroupReport, ...]
    threshold: float

    def count(self, verdict: Verdict) -> int:
        """How many variants have this verdict."""
        return sum(variant.shift.verdict == verdict for variant in self.variants)


_Key = tuple[Device, RuntimeInfo, str]


def compare_reports(old: AnalysisReport, new: AnalysisReport, threshold: float = THRESHOLD) -> Comparison:
    """Compare what both sides measured on the same device by the same runtime with the same thread count.

    Raises:
        ConfigError: `threshold` is no share.
        DataError: the sides have no variant in common, or measured one on different devices, runtimes or thread counts:
            the text says which differ.
    """
    if not 0 <= threshold < 1:
        raise ConfigError("threshold must be a share", got=threshold, allowed="0 to 1, such as 0.05 or 5%")
    sides = [{_key(group): group for group in report.groups} for report in (old, new)]
    before, after = sides
    only_old = [group for key, group in before.items() if key not in after]
    only_new = [group for key, group in after.items() if key not in before]
    _refuse_different(only_old, only_new)
    pairs = [
        (before[key], group, earlier, later)
        for key, group in after.items()
        if key in before
        for later in group.warm
        for earlier in before[key].warm
        if earlier.mode == later.mode and earlier.runs and later.runs
    ]
    if not pairs:
        raise DataError(
            "OLD and NEW have no warm runs of a variant in common",
            got=[_names(old), _names(new)],
            hint="Bench the same bundles on the same device, before and after",
        )
    return Comparison(
        tuple(
            VariantComparison(
                *pair, estimate_shift(pair[2].inference_ns, pair[3].inference_ns, threshold, comparisons=len(pairs))
            )
            for pair in pairs
        ),
        tuple(only_old),
        tuple(only_new),
        threshold,
    )


def _key(group: GroupReport) -> _Key:
    # A new kernel may leave a little more or less memory.
    return dataclasses.replace(group.device, memory_bytes=None), group.runtime, group.bundle.variant_id


def _names(report: AnalysisReport) -> str:
    return ", ".join(dict.fromkeys(f"{group.variant_label} {group.bundle.recipe}" for group in report.groups))


def _refuse_different(only_old: Sequence[GroupReport], only_new: Sequence[GroupReport]) -> None:
    """Refuse where a variant is on both sides, but not measured in the same way."""
    for later in only_new:
        for earlier in only_old:
            if earlier.bundle.variant_id == later.bundle.variant_id:
                differences = dict(_differences(earlier, later))
                raise DataError(
                    f"OLD and NEW measured {later.variant_label} differently, in {', '.join(differences)}",
                    got=differences,
                    allowed="the same device, runtime and thread count",
                )


def _differences(old: GroupReport, new: GroupReport) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for part in ("device", "runtime"):
        one, other = getattr(old, part), getattr(new, part)
        for field in dataclasses.fields(one):
            values = getattr(one, field.name), getattr(other, field.name)
            if field.name != "memory_bytes" and values[0] != values[1]:
                yield f"{part}.{field.name}", values
