"""What an analysis finds, one report a group: what ran on one device, by one runtime, with one thread count.

Runs of different devices, variants, runtimes, backends or thread counts are never merged; nor are modes, nor cold
starts of different caches. Figures join on the variant, not on the bundle: latency does not depend on weights.
"""

import dataclasses
from collections.abc import Mapping
from typing import Literal

from mobisdk.latency.course import Course
from mobisdk.latency.log_files import SetAside
from mobisdk.latency.record import BundleRef, Device, Durations, LatencyRun, Mode, RuntimeInfo
from mobisdk.latency.stats import Quantile

_OS_NAMES = {"android": "Android", "ios": "iOS"}
LOW_BATTERY = 0.2
"""From here down phones save power, whether they say so or not."""
EMULATOR = "ran on an emulator"
UNIT_SLIP = "1,000 times off the others: a slip of unit?"
FEWEST_PEERS = 3
SLIP_REACH = 0.3
"""How far, as a power of ten, from a thousand a slip may be: phones are not twice as fast today."""


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
    """One variant on one device by one runtime. `bundle` is what most runs ran; `bundle_ids` are all that are in it."""

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
