"""Phones that are none: they join, read real bundles' manifests, and send runs with plausible latencies.

A development tool, for load tests and demos. What it sends is marked: the device is an emulator.
"""

import concurrent.futures
import dataclasses
import datetime
import gzip
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from mobisdk.errors import DataError
from mobisdk.latency.log import to_json_line
from mobisdk.latency.record import (
    App,
    BundleRef,
    Conditions,
    Device,
    Energy,
    GoldenCheck,
    LatencyRun,
    Memory,
    Placement,
    RuntimeInfo,
    durations,
)
from mobisdk.server.client import LabClient

_SAMPLES: Final = 100
_HEADERS: Final = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}


@dataclasses.dataclass(frozen=True)
class _Model:
    device: Device
    macs_per_ns: float
    """In float32."""


def _model(
    platform: str, maker: str, model: str, soc: str, system: str, api: int | None, cores: int, speed: float
) -> _Model:
    return _Model(Device(platform, maker, model, soc, system, api, cores, None, is_emulator=True), speed)


_MODELS: Final = (
    _model("android", "Google", "Pixel 8", "Tensor G3", "15", 35, 9, 60),
    _model("android", "Google", "Pixel 6a", "Tensor", "14", 34, 8, 42),
    _model("android", "samsung", "Galaxy S24", "Exynos 2400", "15", 35, 10, 85),
    _model("android", "samsung", "Galaxy A54", "Exynos 1380", "14", 34, 8, 22),
    _model("android", "Xiaomi", "Redmi Note 12", "Snapdragon 685", "13", 33, 8, 14),
    _model("ios", "Apple", "iPhone 15 Pro", "A17 Pro", "18.1", None, 6, 160),
    _model("ios", "Apple", "iPhone 13", "A15", "17.6", None, 6, 110),
    _model("ios", "Apple", "iPhone SE", "A13", "17.6", None, 6, 70),
)


@dataclasses.dataclass(frozen=True)
class Tally:
    """What the server answered, over all phones."""

    accepted: int
    duplicates: int
    rejected: int
    ack_seconds: tuple[float, ...]
    """From the first byte of each upload to its acknowledgement."""


def simulate(
    client: LabClient, phones: int, *, runs: int, batch: int, pause_s: float, seed: int, stop: threading.Event
) -> Tally:
    """Run `phones` at once until each has sent `runs` runs or `stop` is set.

    Raises:
        DataError: the server offers no bundle.
        ServerError: it refuses, or cannot be reached.
    """
    manifests = read_manifests(client)
    with concurrent.futures.ThreadPoolExecutor(phones) as pool:
        futures = [
            pool.submit(_run_phone, client.another(), manifests, number, runs, batch, pause_s, seed + number, stop)
            for number in range(phones)
        ]
        try:
            answers = [answer for future in concurrent.futures.as_completed(futures) for answer in future.result()]
        finally:
            stop.set()
    return Tally(
        accepted=sum(answer["accepted"] for _, answer in answers),
        duplicates=sum(answer["duplicates"] for _, answer in answers),
        rejected=sum(len(answer["rejected"]) for _, answer in answers),
        ack_seconds=tuple(seconds for seconds, _ in answers),
    )


def read_manifests(client: LabClient) -> list[dict[str, Any]]:
    """Read the manifest of every bundle that the server offers."""
    bundles = client.request("GET", "/v1/bundles")["bundles"]
    if not bundles:
        raise DataError("the lab server offers no bundle", hint="Export one into its --bundles folder")
    return [client.request("GET", f"/v1/bundles/{bundle['bundle_id']}/files/manifest.json") for bundle in bundles]


def make_runs(
    manifests: Sequence[dict[str, Any]], phone: int, count: int, rng: np.random.Generator, first_index: int = 0
) -> list[LatencyRun]:
    """Make `count` runs of one phone, which runs the bundles of its platform in turn; every tenth is sustained."""
    platforms = {manifest["target"]["platform"] for manifest in manifests}
    models = [model for model in _MODELS if model.device.platform in platforms]
    model = models[phone % len(models)]
    own = [manifest for manifest in manifests if manifest["target"]["platform"] == model.device.platform]
    session = str(uuid.UUID(bytes=rng.bytes(16), version=4))
    return [
        _make_run(model, own[(first_index + index) % len(own)], session, first_index + index, rng)
        for index in range(count)
    ]


def pack(runs: Iterable[LatencyRun]) -> bytes:
    """Make the body of an upload."""
    return gzip.compress("".join(f"{to_json_line(run)}\n" for run in runs).encode(), 1)


def _run_phone(
    client: LabClient,
    manifests: Sequence[dict[str, Any]],
    phone: int,
    runs: int,
    batch: int,
    pause_s: float,
    seed: int,
    stop: threading.Event,
) -> list[tuple[float, dict[str, Any]]]:
    rng = np.random.default_rng(seed)
    answers = []
    with client:
        for first in range(0, runs, batch):
            if stop.wait(pause_s * rng.uniform(0.5, 1.5)):
                break
            body = pack(make_runs(manifests, phone, min(batch, runs - first), rng, first))
            started = time.perf_counter()
            answer = client.request("POST", "/v1/runs", body, _HEADERS)
            answers.append((time.perf_counter() - started, answer))
    return answers


def _make_run(
    model: _Model, manifest: dict[str, Any], session: str, index: int, rng: np.random.Generator
) -> LatencyRun:
    network, target = manifest["model"], manifest["target"]
    is_sustained = index % 10 == 9
    quantized = 3.0 if "int8" in target["recipe"] or "w8a8" in target["recipe"] else 1.0
    median_ns = (60_000 + network["macs"] / model.macs_per_ns / quantized) * rng.lognormal(0, 0.03)
    samples = median_ns * rng.lognormal(0, 0.03, _SAMPLES) * np.where(rng.random(_SAMPLES) < 0.01, 2.5, 1)
    heats = is_sustained and rng.random() < 0.5
    if heats:
        samples *= np.linspace(1, rng.uniform(1.2, 1.8), _SAMPLES)
    whole = samples.astype(np.int64)
    spacing = 200_000_000 if is_sustained else 0
    preprocess = (4e5 * rng.lognormal(0, 0.05, _SAMPLES)).astype(np.int64)
    return LatencyRun(
        run_id=str(uuid.UUID(bytes=rng.bytes(16), version=4)),
        session_id=session,
        process_id=session,
        run_index=index,
        started_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        mode="sustained" if is_sustained else "burst",
        app=App("simulate-phones", "1", None),
        device=model.device,
        bundle=BundleRef(
            manifest["bundle_id"],
            manifest["variant_id"],
            network["spec"],
            network["arch"],
            network["alpha"],
            network["resolution"],
            target["recipe"],
            network["weights"]["source"],
        ),
        runtime=RuntimeInfo(
            target["runtime"],
            manifest["tool_versions"].get(target["runtime"]) or "1",
            target["backend"],
            target["compute_units"],
            4 if target["platform"] == "android" else None,
        ),
        placement=Placement("none", {}),
        conditions=Conditions(0.8, False, False, "nominal", "serious" if heats else "nominal", None, 31.0, True),
        cache_state="warm",
        compile_ns=None,
        load_ns=20_000_000,
        first_inference_ns=int(median_ns * 3),
        source_image=None,
        warmup_ns=durations([int(median_ns * 2)]),
        preprocess_ns=durations(preprocess.tolist()),
        inference_ns=durations(whole.tolist()),
        postprocess_ns=durations([]),
        sample_at_ns=durations((np.arange(_SAMPLES) * spacing + np.cumsum(whole) - whole[0]).tolist()),
        thermal=(),
        memory=Memory(None),
        energy=Energy(None),
        golden=GoldenCheck(bool(rng.random() > 0.005), 1e-5, top1_matches=True),
    )
