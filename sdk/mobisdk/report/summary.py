"""What an analysis means, in sentences."""

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import groupby

from mobisdk.latency.analysis import AnalysisReport, GroupReport, WarmReport, format_alpha
from mobisdk.latency.record import RuntimeInfo
from mobisdk.latency.stats import FEWEST_RUNS, Quantile
from mobisdk.latency.threads import choose_threads
from mobisdk.report.numbers import format_ms, format_ratio
from mobisdk.report.printable import printable

_Row = tuple[GroupReport, Quantile]
"""A group, and its median inference in one mode."""


def explain(report: AnalysisReport) -> tuple[str, ...]:
    """Say what is fastest on each device in each mode, what the slowest costs beside it, and what is not sure yet."""
    several_devices = len({group.device_label for group in report.groups}) > 1
    sentences = []
    for device, groups in groupby(report.groups, key=lambda group: group.device_label):
        members = list(groups)
        modes = dict.fromkeys(warm.mode for group in members for warm in group.warm)
        for mode in modes:
            rows = [
                (group, warm.p50)
                for group in members
                for warm in group.warm
                if warm.mode == mode and warm.p50 is not None
            ]
            if rows:
                where = [*([device] if several_devices else []), *([mode] if len(modes) > 1 else [])]
                sentences.append(printable(f"{', '.join(where)}{': ' if where else ''}{_compare(rows)}"))
    sentences.extend(printable(sentence) for sentence in _advise_threads(report.groups))
    sentences.extend(printable(sentence) for sentence in _tell_courses(report.groups))
    sentences.extend(_count_missing_runs(report))
    if any(warm.runs and warm.course is None for group in report.groups for warm in group.warm):
        sentences.append(
            "An engine did not look at what happens within runs: warm-up, throttling, outliers, autocorrelation. "
            "For less than 256 MB, analyze without --engine does."
        )
    return tuple(sentences)


def _advise_threads(groups: Sequence[GroupReport]) -> Iterator[str]:
    """Say which thread count is fastest where several were measured, and where more are slower."""
    counts: dict[tuple[object, ...], dict[int, Quantile]] = {}
    names: dict[tuple[object, ...], str] = {}
    for group in groups:
        for warm in group.warm:
            if warm.p50 is None or group.runtime.threads is None:
                continue
            runtime = dataclasses.replace(group.runtime, threads=None)
            key = (group.device_label, runtime, group.bundle.variant_id, warm.mode)
            counts.setdefault(key, {})[group.runtime.threads] = warm.p50
            names[key] = f"{group.variant_label} on {group.device_label}"
    for where, medians in counts.items():
        if len(medians) < 2:
            continue
        best = choose_threads({threads: median.value_ns for threads, median in medians.items()})
        slower = [
            threads for threads, median in sorted(medians.items())
            if threads > best and median.value_ns > medians[best].value_ns and not _overlap(median, medians[best])
        ]  # fmt: skip
        sentence = f"{names[where]}: {best} thread{'s' * (best > 1)} are fastest" if best > 1 else (
            f"{names[where]}: 1 thread is fastest"
        )  # fmt: skip
        if slower:
            cost = medians[slower[-1]].value_ns / max(medians[best].value_ns, 1)
            sentence += f"; more is slower, {format_ratio(cost)} × the time with {slower[-1]}"
        yield f"{sentence}."


def _tell_courses(groups: Sequence[GroupReport]) -> Iterator[str]:
    """Say what throttled, and when; and what was not warm when it was measured."""
    for group in groups:
        for warm in group.warm:
            course = warm.course
            if course is None:
                continue
            name = f"{group.variant_label} as {group.bundle.recipe}"
            if course.throttled_runs and course.fresh_ns and course.steady_ns:
                yield (
                    f"{name} throttles after {course.time_to_throttle_s:.0f} s of sustained work in "
                    f"{course.throttled_runs} of {warm.runs} runs: from {course.fresh_ns / 1e6:.3g} to "
                    f"{course.steady_ns / 1e6:.3g} ms."
                )
            if course.still_warming_runs > warm.runs / 2:
                yield f"{name} was still warming up in {course.still_warming_runs} of {warm.runs} runs."


def _compare(rows: Sequence[_Row]) -> str:
    ranked = sorted(rows, key=lambda row: row[1].value_ns)
    fastest, least = ranked[0]
    if len(ranked) == 1:
        return f"{fastest.variant_label} takes {format_ms(least)} ms."
    sentence = f"{_name(fastest, rows)} is fastest: {format_ms(least)} ms"
    rivals = [_name(group, rows) for group, median in ranked[1:] if _overlap(least, median)]
    if rivals:
        sentence += f", which cannot be told from {', '.join(rivals[:3])}{' and others' if len(rivals) > 3 else ''}"
    peers = [row for row in ranked if _setting(row[0]) == _setting(fastest)]
    slowest, most = peers[-1] if len(peers) > 1 else ranked[-1]
    if least.value_ns and most.value_ns > least.value_ns:
        alpha = slowest.bundle.alpha
        costly = f"α = {format_alpha(alpha)}" if alpha and _differ_in_alpha_alone(peers) else _name(slowest, rows)
        sentence += f"; {costly} costs {format_ratio(most.value_ns / least.value_ns)} × as much"
    return f"{sentence}."


def _overlap(a: Quantile, b: Quantile) -> bool:
    """Tell whether the intervals leave open which is faster; without both there is nothing to tell."""
    if a.low_ns is None or a.high_ns is None or b.low_ns is None or b.high_ns is None:
        return False
    return a.high_ns >= b.low_ns and b.high_ns >= a.low_ns


def _name(group: GroupReport, rows: Sequence[_Row]) -> str:
    """Name a group by its network and by whatever else differs among `rows`."""
    groups = [row[0] for row in rows]
    name = group.variant_label
    if len({other.bundle.recipe for other in groups}) > 1:
        name += f" as {group.bundle.recipe}"
    if len({other.runtime.version for other in groups}) > 1:
        name += f" by {group.runtime.name} {group.runtime.version}"
    if len({other.runtime.threads for other in groups}) > 1 and group.runtime.threads is not None:
        name += f" on {group.runtime.threads} thread{'s' * (group.runtime.threads > 1)}"
    return name


def _setting(group: GroupReport) -> tuple[str, RuntimeInfo]:
    """What a network should be compared within."""
    return group.bundle.recipe, group.runtime


def _differ_in_alpha_alone(rows: Sequence[_Row]) -> bool:
    networks = {(group.bundle.arch, group.bundle.resolution) for group, _ in rows}
    return len(networks) == 1 and 1 < len({group.bundle.alpha for group, _ in rows}) == len(rows)


def _count_missing_runs(report: AnalysisReport) -> Iterator[str]:
    """Say how many runs would give the intervals that are missing."""
    reports: list[WarmReport] = [warm for group in report.groups for warm in group.warm if 0 < warm.runs < FEWEST_RUNS]
    if reports:
        fewest = min(warm.runs for warm in reports)
        here = "one run" if fewest == 1 else f"{fewest} runs"
        yield f"An interval needs {FEWEST_RUNS} runs of a bundle; some have {here}, so they may differ by chance."
