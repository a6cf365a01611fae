"""Results of other tools as runs of ours: what they measured, and null for what they do not tell.

Their runs are of mode `production`: nobody compared a golden image before them, as a benchmark of ours does. Tools that
keep no samples give their mean as the one sample of a run, so no interval comes of it that was not measured.
"""

import dataclasses
import hashlib
import json
import math
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mobisdk.errors import DataError
from mobisdk.latency.observations import read_table
from mobisdk.latency.record import (
    App,
    BundleRef,
    Conditions,
    Device,
    Energy,
    LatencyRun,
    Memory,
    OpTime,
    Placement,
    RuntimeInfo,
    durations,
)

_LARGEST_FILE_BYTES: Final = 256 * 2**20
_LONGEST_TEXT: Final = 200
_NS_A: Final = {"latency_ns": 1.0, "latency_us": 1e3, "latency_ms": 1e6}
_LARGEST_NS: Final = 10**18
_EMULATORS: Final = ("generic", "sdk_gphone", "emulator", "emu64")
"""Parts of the fingerprints that Android's emulators have."""


@dataclasses.dataclass(frozen=True)
class About:
    """What a person adds, since the file does not say it; null is left to the file, or to `unknown`."""

    device: str | None = None
    arch: str | None = None
    alpha: float | None = None
    resolution: int | None = None
    recipe: str | None = None
    threads: int | None = None


@dataclasses.dataclass(frozen=True)
class _Found:
    """One run in another tool's file."""

    name: str
    samples_ns: Sequence[float]
    device: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    recipe: str | None = None
    backend: str | None = None
    threads: int | None = None
    first_ns: float | None = None
    load_ns: float | None = None
    warmup_ns: Sequence[float] = ()
    peak_bytes: int | None = None
    per_op: tuple[OpTime, ...] = ()
    placement: Placement = dataclasses.field(default_factory=lambda: Placement("none", {}))
    dials: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def read_foreign(path: Path, tool: str, about: About, started_at: str) -> tuple[LatencyRun, ...]:
    """Read the file of a tool in `TOOLS`; `started_at` is the hour to write down, which these files mostly do not tell.

    Raises:
        DataError: it is no such file, holds no measurement, or a number in it is wrong.
        OSError: it cannot be read.
    """
    if path.stat().st_size > _LARGEST_FILE_BYTES:
        raise DataError(f"{str(path)!r} is too large", got=path.stat().st_size, allowed="256 MiB")
    read, runtime = TOOLS[tool]
    try:
        found = list(read(path))
        runs = tuple(_make_run(each, tool, runtime, about, started_at, place) for place, each in enumerate(found))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise DataError(f"{str(path)!r} is no result of {tool}: {type(error).__name__} {error}") from error
    if not runs:
        raise DataError(f"{str(path)!r} holds no measurement of {tool}")
    return runs


def _read_androidx(path: Path) -> Iterator[_Found]:
    """androidx.benchmark: every repetition is kept, `metrics.timeNs.runs`."""
    document = json.loads(path.read_bytes())
    build = document["context"]["build"]
    device = {
        "platform": "android",
        "manufacturer": build.get("brand"),
        "model": build.get("model") or build["device"],
        "api_level": build["version"]["sdk"],
        "os_version": f"API {build['version']['sdk']}",
        "cpu_cores": document["context"]["cpuCoreCount"],
        "memory_bytes": document["context"].get("memTotalBytes"),
        "is_emulator": any(mark in build.get("fingerprint", "") for mark in _EMULATORS),
    }
    for benchmark in document["benchmarks"]:
        times = benchmark["metrics"].get("timeNs")
        if times is not None:
            yield _Found(f"{benchmark['className']}.{benchmark['name']}", times["runs"], device)


def _read_executorch(path: Path) -> Iterator[_Found]:
    """ExecuTorch's `benchmark_results.json`: a trimmed mean a model, `avg_inference_latency(ms)`, and its load time."""
    found: dict[str, dict[str, Any]] = {}
    for metric in json.loads(path.read_bytes()):
        model = metric["benchmarkModel"]
        key = json.dumps([model, metric["deviceInfo"]], sort_keys=True)
        entry = found.setdefault(key, {"model": model, "device": metric["deviceInfo"], "values": {}})
        entry["values"][metric["metric"]] = float(metric["actualValue"])
    for entry in found.values():
        values, device = entry["values"], entry["device"]
        if "avg_inference_latency(ms)" not in values:
            continue
        load = values.get("model_load_time(ms)")
        is_apple = "ios" in str(device.get("os", "")).lower()
        yield _Found(
            entry["model"]["name"], [values["avg_inference_latency(ms)"] * 1e6],
            {
                "platform": "ios" if is_apple else "android",
                "model": device["device"], "os_version": device["os"], "memory_bytes": device.get("totalMem") or None,
            },
            recipe="_".join(filter(None, [entry["model"].get("backend"), entry["model"].get("quantization")])),
            backend=entry["model"].get("backend"), load_ns=None if load is None else load * 1e6,
        )  # fmt: skip


def _read_aihub(path: Path) -> Iterator[_Found]:
    """Qualcomm AI Hub's profile: every time in microseconds, peak memory, and where each layer ran."""
    document = json.loads(path.read_bytes())
    summary = document["execution_summary"]
    layers = document.get("execution_detail") or []
    _, peak = summary.get("inference_memory_peak_range") or (0, summary.get("estimated_inference_peak_memory"))
    times = summary.get("all_inference_times") or [summary["estimated_inference_time"]]
    yield _Found(
        path.stem,
        [1e3 * microseconds for microseconds in times],
        load_ns=_times(1e3, summary.get("warm_load_time")),
        peak_bytes=None if peak is None else int(peak),
        per_op=tuple(
            OpTime(_text(layer["name"]), _text(layer.get("type")), _whole(1e3 * layer.get("execution_time", 0)))
            for layer in layers
        ),
        placement=_place_layers(layers),
    )  # fmt: skip


def _place_layers(layers: Sequence[Mapping[str, Any]]) -> Placement:
    """Which share of the layers' time each unit took; of their number where no layer has a time."""
    counts: dict[str, float] = {}
    times: dict[str, float] = {}
    for layer in layers:
        unit = _text(layer.get("compute_unit") or "unknown").lower()
        counts[unit] = counts.get(unit, 0) + 1
        times[unit] = times.get(unit, 0) + _whole(1e3 * layer.get("execution_time", 0))
    weights = times if any(times.values()) else counts
    total = sum(weights.values())
    if not total:
        return Placement("none", {})
    return Placement("profiler", {unit: weight / total for unit, weight in weights.items()})


def _read_tflite(path: Path) -> Iterator[_Found]:
    """The text of TensorFlow Lite's benchmark_model, plain or by logcat: `Inference timings in us`, means alone.

    Network and thread count are those that were told last before the timings, by the tool or by its command line.
    """
    text = path.read_bytes().decode(errors="replace")
    pattern = (
        r"Inference timings in us: Init: ([\d.e+]+), First inference: ([\d.e+]+), "
        r"Warmup \(avg\): ([\d.e+]+), Inference \(avg\): ([\d.e+]+)"
    )
    told = 0
    for match in re.finditer(pattern, text):
        before, told = text[told : match.start()], match.end()
        graph = _last(r"Graph: \[([^\]]+)\]|--graph=['\"]?([^\s'\",]+)", before)
        threads = _last(r"Num threads: \[(\d+)\]|--num_threads=(\d+)", before)
        init, first, warmup, inference = (1e3 * float(value) for value in match.groups())
        yield _Found(
            Path(graph).stem if graph else path.stem, [inference], threads=int(threads) if threads else None,
            first_ns=first, load_ns=init, warmup_ns=[warmup],
        )  # fmt: skip


def _last(pattern: str, text: str) -> str | None:
    """What the last match of `pattern` found, in whichever of its groups."""
    found = None
    for match in re.finditer(pattern, text):
        found = match[match.lastindex or 0]
    return found


def _read_csv(path: Path) -> Iterator[_Found]:
    """Columns latency_ns, latency_us or latency_ms; further ones tell runs, devices and networks apart.

    A row is a sample; rows that agree in `run`, `device`, `name`, `arch`, `alpha`, `resolution`, `recipe` and `threads`
    are samples of one run.
    """
    rows = list(read_table(path, ()))
    names = [name for name in _NS_A if name in rows[0][1]]
    if len(names) != 1:
        raise DataError(f"{str(path)!r} must have one column of times", got=list(rows[0][1]), allowed=", ".join(_NS_A))
    parts = ("run", "device", "name", "arch", "alpha", "resolution", "recipe", "threads")
    runs: dict[tuple[str | None, ...], list[float]] = {}
    for line, row in rows:
        try:
            value = float(row[names[0]]) * _NS_A[names[0]]
        except ValueError:
            value = math.nan
        if not 0 <= value <= _LARGEST_NS:
            raise DataError(f"{names[0]} in line {line} of {str(path)!r} is no time", got=row[names[0]])
        runs.setdefault(tuple(row.get(part) or None for part in parts), []).append(value)
    for key, samples in runs.items():
        _, device, name, arch, alpha, resolution, recipe, threads = key
        yield _Found(
            name or path.stem, samples, {"model": device} if device else {}, recipe=recipe,
            threads=int(threads) if threads else None,
            dials={
                "arch": arch, "alpha": float(alpha) if alpha else None,
                "resolution": int(resolution) if resolution else None,
            },
        )  # fmt: skip


_Reader = Callable[[Path], Iterator[_Found]]
TOOLS: Final[Mapping[str, tuple[_Reader, str]]] = {
    "androidx": (_read_androidx, "unknown"),
    "executorch": (_read_executorch, "executorch"),
    "aihub": (_read_aihub, "aihub"),
    "tflite": (_read_tflite, "tflite"),
    "csv": (_read_csv, "unknown"),
}


def _make_run(found: _Found, tool: str, runtime: str, about: About, started_at: str, place: int) -> LatencyRun:
    samples = durations([_whole(value) for value in found.samples_ns])
    if not samples.size:
        raise ValueError("a measurement without a sample")
    at = durations([0, *samples.cumsum()[:-1].tolist()])
    named = {name: getattr(about, name) or found.dials.get(name) for name in ("arch", "alpha", "resolution")}
    recipe = about.recipe or found.recipe or "unknown"
    spec = named if all(value is not None for value in named.values()) else None
    device = {
        "platform": "unknown", "manufacturer": None, "model": "unknown", "soc": None, "os_version": "unknown",
        "api_level": None, "cpu_cores": 1, "memory_bytes": None, "is_emulator": False,
    } | dict(found.device) | ({"model": about.device} if about.device else {})  # fmt: skip
    identity = hashlib.sha256(json.dumps([found.name, named, recipe]).encode()).hexdigest()
    session = uuid.uuid5(uuid.NAMESPACE_URL, f"{tool} {identity} {started_at}")
    content = hashlib.sha256(samples.tobytes() + identity.encode()).hexdigest()
    return LatencyRun(
        run_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{tool} {content} {place}")),
        session_id=str(session),
        process_id=str(session),
        run_index=place,
        started_at=started_at,
        mode="production",
        app=App(f"imported from {tool}", "1", None),
        device=Device(**{name: _text(value) if isinstance(value, str) else value for name, value in device.items()}),
        bundle=BundleRef(
            identity, identity, spec, named["arch"] or _text(found.name), named["alpha"], named["resolution"],
            _text(recipe) or "unknown", "random",
        ),
        runtime=RuntimeInfo(runtime, "unknown", _text(found.backend), None, about.threads or found.threads),
        placement=found.placement,
        conditions=Conditions(None, None, None, None, None, None, None, None),
        cache_state="unknown",
        compile_ns=None,
        load_ns=None if found.load_ns is None else _whole(found.load_ns),
        first_inference_ns=None if found.first_ns is None else _whole(found.first_ns),
        source_image=None,
        warmup_ns=durations([_whole(value) for value in found.warmup_ns]),
        preprocess_ns=durations([]),
        inference_ns=samples,
        postprocess_ns=durations([]),
        sample_at_ns=at,
        thermal=(),
        memory=Memory(found.peak_bytes),
        energy=Energy(None),
        golden=None,
        per_op=found.per_op,
    )  # fmt: skip


def _whole(nanoseconds: float) -> int:
    if isinstance(nanoseconds, bool) or not math.isfinite(nanoseconds) or not 0 <= nanoseconds <= _LARGEST_NS:
        raise ValueError(f"{nanoseconds!r} is no time")
    return round(nanoseconds)


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else factor * value


def _text(text: str | None) -> Any:
    return text[:_LONGEST_TEXT] if text else None
