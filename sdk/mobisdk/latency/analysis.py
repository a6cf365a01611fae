"""From logs to one report a group: what ran on one device, by one runtime, with one thread count.

Runs of different devices, variants, runtimes, backends or thread counts are never merged; nor are modes, nor cold
starts of different caches. Figures join on the variant, not on the bundle: latency does not depend on weights.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from mobisdk.errors import DataError
from mobisdk.latency.course import Course, describe_course
from mobisdk.latency.record import BundleRef, Device, Durations, LatencyRun, Mode, RuntimeInfo, durations
from mobisdk.latency.stats import Quantile, estimate_quantile
from mobisdk.latency.store import LogSet, SetAside

_OS_NAMES = {"android": "Android", "ios": "iOS"}
_MODES: tuple[Mode, ...] = ("burst", "sustained", "production")
LOW_BATTERY = 0.2
"""From here down phones save power, whether they say so or not."""
EMULATOR = "ran on an emulator"
UNIT_SLIP = "1,000 times off the others: a slip of unit?"
FEWEST_PEERS = 3
SLIP_REACH = 0.3
"""How far, as a power of ten, from a thousand a slip may be: phones are not twice as fast today."""
_CACHE_STATES: tuple[Literal["cold", "warm", "unknown"], ...] = ("cold", "warm", "unknown")


@dataclasses.dataclass(frozen=True)
class WarmReport:
    """Inference after warm-up, in one mode. Without a usable run there are no figures, only what was kept apart."""

    mode: Mode
    runs: int
    samples: int
    kept_apart: Mapping[str, int]
    """Runs that the figures leave out, by reason."""
    p50: Quantile | None
    p90: Quantile | None
    p95: Quantile | None
    p99: Quantile | None
    mean_ns: float | None
    mad_ns: float | None
    """Median absolute deviation of the samples from their median."""
    preprocess: Quantile | None
    """Medians; null where no run recorded the phase."""
    postprocess: Quantile | None
    end_to_end: Quantile | None
    """Median of preprocessing, inference and postprocessing together; null unless every run recorded the first."""
    course: Course | None
    """What happened within the runs; null where an engine left them where they were."""
    inference_ns: tuple[Durations, ...]
    """The samples themselves, one array a run."""

    @property
    def images_per_s(self) -> float | None:
        """Throughput of inference alone, one image after the other."""
        return _per_second(self.p50)

    @property
    def end_to_end_images_per_s(self) -> float | None:
        """Throughput with pre- and postprocessing, one image after the other."""
        return _per_second(self.end_to_end)


@dataclasses.dataclass(frozen=True)
class ColdReport:
    """The first load in a fresh process; the cache is that of the compiled model."""

    cache_state: Literal["cold", "warm", "unknown"]
    runs: int
    kept_apart: Mapping[str, int]
    load: Quantile | None
    """Median of compiling and loading together."""
    first_inference: Quantile | None


@dataclasses.dataclass(frozen=True)
class GroupReport:
    """One variant on one device by one runtime. `bundle` is the first run's; `bundle_ids` are all that were merged."""

    device: Device
    runtime: RuntimeInfo
    bundle: BundleRef
    bundle_ids: tuple[str, ...]
    weights_sources: tuple[str, ...]
    warm: tuple[WarmReport, ...]
    """One a mode."""
    cold: tuple[ColdReport, ...]
    """One a state of the cache, the coldest first."""

    @property
    def device_label(self) -> str:
        """`Google Pixel 8 (Tensor G3), 8 cores, Android 15`, as the phone says it: not safe to print as it is."""
        device = self.device
        name = device.model
        if device.manufacturer and not name.lower().startswith(device.manufacturer.lower()):
            name = f"{device.manufacturer} {name}"
        if device.soc and device.soc not in name:
            name += f" ({device.soc})"
        cores = f"{device.cpu_cores} core{'s' * (device.cpu_cores > 1)}"
        system = f"{_OS_NAMES.get(device.platform, '')} {device.os_version}".strip()
        return ", ".join([name, cores, system, *(["emulator"] if device.is_emulator else [])])

    @property
    def variant_label(self) -> str:
        """`mobilenet_v1 0.25 at 128`; a network of others by its variant's first digits."""
        bundle = self.bundle
        if bundle.arch is None or bundle.alpha is None or bundle.resolution is None:
            return f"{bundle.arch or 'variant'} {bundle.variant_id[:8]}"
        return f"{bundle.arch} {format_alpha(bundle.alpha)} at {bundle.resolution}"


@dataclasses.dataclass(frozen=True)
class AnalysisReport:
    """Every group, and what became of every line."""

    groups: tuple[GroupReport, ...]
    """Sorted by device, runtime, network and threads."""
    files: int
    runs: int
    duplicates: int
    set_aside: tuple[SetAside, ...]


def format_alpha(alpha: float) -> str:
    """`1.0`, `0.75`."""
    return f"{alpha:.1f}" if alpha == round(alpha, 1) else f"{alpha:g}"


def analyze_runs(logs: LogSet, *, emulators: bool = False) -> AnalysisReport:
    """Report each group of `logs`; runs of emulators are kept apart like others, unless they are asked for.

    Raises:
        DataError: there is no run.
    """
    if not logs.runs:
        if not logs.set_aside:
            raise DataError("no run in these logs: they are empty")
        first, count = logs.set_aside[0], len(logs.set_aside)
        raise DataError(
            f"no run in these logs, and {count} line{'s' * (count > 1)} set aside",
            hint=f"The first is line {first.line} of {str(first.file)!r}: {first.reason}",
        )
    members: defaultdict[tuple[Device, RuntimeInfo, str], list[LatencyRun]] = defaultdict(list)
    for run in logs.runs:
        device = dataclasses.replace(run.device, memory_bytes=None)  # a new kernel may leave a little more or less
        members[device, run.runtime, run.bundle.variant_id].append(run)
    groups = sorted((_report_group(runs, emulators) for runs in members.values()), key=group_order)
    return AnalysisReport(tuple(groups), len(logs.files), len(logs.runs), logs.duplicates, logs.set_aside)


def _report_group(runs: Sequence[LatencyRun], emulators: bool) -> GroupReport:
    warm = {mode: [run for run in runs if run.mode == mode] for mode in _MODES}
    cold = {state: [run for run in runs if run.mode == "cold" and run.cache_state == state] for state in _CACHE_STATES}
    return GroupReport(
        device=runs[0].device,
        runtime=runs[0].runtime,
        bundle=runs[0].bundle,
        bundle_ids=tuple(sorted({run.bundle.bundle_id for run in runs})),
        weights_sources=tuple(sorted({run.bundle.weights_source for run in runs})),
        warm=tuple(_report_warm(mode, runs, emulators) for mode, runs in warm.items() if runs),
        cold=tuple(_report_cold(state, runs, emulators) for state, runs in cold.items() if runs),
    )


def _report_warm(mode: Mode, runs: Sequence[LatencyRun], emulators: bool) -> WarmReport:
    usable, kept_apart = _keep_apart(runs, emulators)
    inference = [run.inference_ns for run in usable]
    return WarmReport(
        mode=mode,
        runs=len(usable),
        samples=sum(samples.size for samples in inference),
        kept_apart=kept_apart,
        p50=_quantile(inference, 0.5),
        p90=_quantile(inference, 0.9),
        p95=_quantile(inference, 0.95),
        p99=_quantile(inference, 0.99),
        mean_ns=float(np.mean(np.concatenate(inference))) if inference else None,
        mad_ns=_deviation(inference) if inference else None,
        preprocess=_quantile([run.preprocess_ns for run in usable if run.preprocess_ns.size]),
        postprocess=_quantile([run.postprocess_ns for run in usable if run.postprocess_ns.size]),
        end_to_end=_quantile(_end_to_end(usable)),
        course=describe_course(usable) if usable else None,
        inference_ns=tuple(inference),
    )


def _report_cold(
    cache_state: Literal["cold", "warm", "unknown"], runs: Sequence[LatencyRun], emulators: bool
) -> ColdReport:
    usable, kept_apart = _keep_apart(runs, emulators)
    return ColdReport(
        cache_state=cache_state,
        runs=len(usable),
        kept_apart=kept_apart,
        load=_quantile([durations([(run.compile_ns or 0) + (run.load_ns or 0)]) for run in usable]),
        first_inference=_quantile([durations([run.first_inference_ns or 0]) for run in usable]),
    )


def _keep_apart(runs: Sequence[LatencyRun], emulators: bool) -> tuple[list[LatencyRun], dict[str, int]]:
    """Part the runs that the figures may rest on from those that tell of something else, counted by reason."""
    reasons = [EMULATOR if run.device.is_emulator and not emulators else reason_to_keep_apart(run) for run in runs]
    for place in _find_unit_slips([run if reason is None else None for run, reason in zip(runs, reasons, strict=True)]):
        reasons[place] = UNIT_SLIP
    usable = [run for run, reason in zip(runs, reasons, strict=True) if reason is None]
    return usable, dict(Counter(reason for reason in reasons if reason is not None))


def reason_to_keep_apart(run: LatencyRun) -> str | None:
    """Name what makes a run tell of something else, on whatever device."""
    if run.golden is not None and not run.golden.passed:
        return "golden image failed"
    if run.conditions.low_power_mode:
        return "low-power mode"
    if run.conditions.thermal_before in ("serious", "critical"):
        return "hot at the start"
    if run.conditions.foreground is False:
        return "left the foreground"
    level = run.conditions.battery_level
    if level is not None and level < LOW_BATTERY and run.conditions.charging is not True:
        return "low battery"
    return None


def _find_unit_slips(runs: Sequence[LatencyRun | None]) -> list[int]:
    """Find runs whose median is off that of the others by a thousand, or a thousand thousand: micro for nano."""
    medians = {
        place: float(np.median(run.inference_ns))
        for place, run in enumerate(runs)
        if run is not None and run.inference_ns.size
    }
    if len(medians) < FEWEST_PEERS:
        return []
    center = np.median(list(medians.values()))
    off = {place: abs(np.log10(max(median, 1.0) / max(center, 1.0))) for place, median in medians.items()}
    return [place for place, power in off.items() if min(abs(power - 3), abs(power - 6)) < SLIP_REACH]


def _end_to_end(runs: Sequence[LatencyRun]) -> list[Durations]:
    if not all(run.preprocess_ns.size for run in runs):
        return []
    return [
        run.preprocess_ns + run.inference_ns + (run.postprocess_ns if run.postprocess_ns.size else np.int64(0))
        for run in runs
    ]


def _quantile(runs: Sequence[Durations], q: float = 0.5) -> Quantile | None:
    return estimate_quantile(runs, q) if runs else None


def _deviation(runs: Sequence[Durations]) -> float:
    pooled = np.concatenate(runs)
    return float(np.median(np.abs(pooled - np.rint(np.median(pooled)).astype(np.int64))))


def _per_second(quantile: Quantile | None) -> float | None:
    return 1e9 / quantile.value_ns if quantile and quantile.value_ns else None


def group_order(group: GroupReport) -> tuple[str | float, ...]:
    """Sort by device, runtime, network and threads."""
    runtime, bundle = group.runtime, group.bundle
    return (
        *(
            group.device_label,
            runtime.name,
            runtime.version,
            runtime.backend_requested or "",
            runtime.compute_units or "",
        ),
        *(bundle.arch or "", bundle.resolution or 0, bundle.alpha or 0, bundle.recipe, runtime.threads or 0),
        bundle.variant_id,
    )
