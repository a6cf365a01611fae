"""Contract 2, `mobisdk.latency/1`: one latency run as a frozen value.

What a value may be is written once, in `latency_run.schema.json` beside this file; `log` holds every line against it.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Mode = Literal["cold", "burst", "sustained", "production"]
ThermalState = Literal["nominal", "fair", "serious", "critical"]
Durations = NDArray[np.int64]
"""Nanoseconds of a monotonic clock, one a sample, shape (samples,); read-only."""


@dataclasses.dataclass(frozen=True)
class App:
    """The program that measured."""

    name: str
    version: str
    build: str | None


@dataclasses.dataclass(frozen=True)
class Device:
    """Where it ran. `platform` is android, ios, or the system of a computer: linux, macos, windows."""

    platform: str
    manufacturer: str | None
    model: str
    soc: str | None
    os_version: str
    api_level: int | None
    cpu_cores: int
    memory_bytes: int | None
    is_emulator: bool


@dataclasses.dataclass(frozen=True)
class BundleRef:
    """What ran, as the bundle's manifest names it; `spec` is its ModelSpec verbatim, null for a network of others."""

    bundle_id: str
    variant_id: str
    spec: Mapping[str, Any] | None
    arch: str | None
    alpha: float | None
    resolution: int | None
    recipe: str
    weights_source: Literal["random", "checkpoint", "hub"]


@dataclasses.dataclass(frozen=True)
class RuntimeInfo:
    """What ran it. `threads` is the process's count, null where the runtime decides, as Core ML does."""

    name: str
    version: str
    backend_requested: str | None
    compute_units: str | None
    threads: int | None


@dataclasses.dataclass(frozen=True)
class Placement:
    """Which share of the network ran on which unit, and who says so (`none`: no share). Apple's plan is a forecast."""

    source: Literal["plan", "method_metadata", "profiler", "none"]
    share: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Conditions:
    """The phone's state; `thermal_raw` is the system's own word for `thermal_before`, `battery_level` is in [0, 1]."""

    battery_level: float | None
    charging: bool | None
    low_power_mode: bool | None
    thermal_before: ThermalState | None
    thermal_after: ThermalState | None
    thermal_raw: str | None
    battery_celsius: float | None
    foreground: bool | None


@dataclasses.dataclass(frozen=True)
class SourceImage:
    """Size in pixels of the photograph that preprocessing started from."""

    width: int
    height: int


@dataclasses.dataclass(frozen=True)
class ThermalSample:
    """The thermal state, `at_ns` after the first sample."""

    at_ns: int
    state: ThermalState


@dataclasses.dataclass(frozen=True)
class Memory:
    """Peak memory of the process; null where several bundles shared it."""

    peak_bytes: int | None


@dataclasses.dataclass(frozen=True)
class Energy:
    """Charge taken from the battery, in microampere-hours; negative while charging, null where the phone is silent."""

    charge_uah: int | None


@dataclasses.dataclass(frozen=True)
class GoldenCheck:
    """Did the golden image give the manifest's logits, before timing; the error is null if an output is no number."""

    passed: bool
    max_abs_error: float | None
    top1_matches: bool


@dataclasses.dataclass(frozen=True)
class OpTime:
    """One operator's time."""

    name: str
    kind: str | None
    ns: int


@dataclasses.dataclass(frozen=True, eq=False)
class LatencyRun:
    """One run of one bundle; raw samples, nothing averaged. Make its sample fields with `durations`.

    Ids are UUIDs; `process_id` is drawn when the process starts. `load_ns` ends when the method is ready, not only the
    file. A phase that was not run is an empty list. `sample_at_ns` counts from the first sample's start.
    """

    run_id: str
    session_id: str
    process_id: str
    run_index: int
    started_at: str
    """RFC 3339 with offset; in production the hour alone."""
    mode: Mode
    app: App
    device: Device
    bundle: BundleRef
    runtime: RuntimeInfo
    placement: Placement
    conditions: Conditions
    cache_state: Literal["cold", "warm", "unknown"]
    compile_ns: int | None
    load_ns: int | None
    first_inference_ns: int | None
    source_image: SourceImage | None
    warmup_ns: Durations
    preprocess_ns: Durations
    inference_ns: Durations
    postprocess_ns: Durations
    sample_at_ns: Durations
    thermal: tuple[ThermalSample, ...]
    memory: Memory
    energy: Energy
    golden: GoldenCheck | None
    per_op: tuple[OpTime, ...] = ()
    notes: str | None = None


def durations(values: Sequence[int]) -> Durations:
    """Make a sample field of nanoseconds; it is copied and read-only."""
    array = np.array(values, dtype=np.int64)
    array.flags.writeable = False
    return array
