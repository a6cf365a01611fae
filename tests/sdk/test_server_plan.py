"""What a phone should run next, and what the overview says of runs that came, across restarts too."""

import dataclasses
import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobisdk.latency.in_memory import analyze_runs
from mobisdk.latency.log import parse_run, to_json_line
from mobisdk.latency.record import LatencyRun, durations
from mobisdk.latency.store import collect_runs
from mobisdk.server.bundles import BundleSummary
from mobisdk.server.overview import Overview
from mobisdk.server.plan import make_plan
from mobisdk.server.store.engine import Store, open_store
from mobisdk.server.store.incoming import read_line
from mobisdk.server.store.writer import RunWriter

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])


def measured(median_ms: float, spread: float, rng: np.random.Generator, **parts: Any) -> LatencyRun:
    samples = (1e6 * median_ms * rng.lognormal(0, spread) * rng.lognormal(0, 0.02, 100)).astype(np.int64)
    none = durations([])
    times = {"inference_ns": durations(samples), "sample_at_ns": durations(np.cumsum(samples))}
    return dataclasses.replace(RUN, run_id=str(uuid.uuid4()), preprocess_ns=none, postprocess_ns=none, **times, **parts)


def add(store: Store, *runs: LatencyRun, set_aside: dict[int, str] | None = None) -> None:
    writer = RunWriter(store)
    incoming = [read_line(number, to_json_line(run).encode()) for number, run in enumerate(runs, start=1)]
    assert writer.submit("t", incoming, set_aside).result().accepted == len(runs)
    writer.close()


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = open_store(str(tmp_path / "runs.db"))
    yield opened
    opened.close()


def test_overview_has_the_figures_of_analyze(store: Store) -> None:
    rng = np.random.default_rng(5)
    runs = [measured(3, 0.05, rng) for _ in range(12)]
    failed = dataclasses.replace(measured(9, 0, rng), golden=dataclasses.replace(RUN.golden, passed=False))  # type: ignore[type-var]
    add(store, *runs, failed)
    [row] = Overview(store).read()["rows"]
    [group] = analyze_runs(collect_runs((), (*runs, failed), (), 0)).groups
    for name in ("p50", "p90", "p99"):
        expected, found = getattr(group.warm[0], name), row[name]
        assert found["ms"] == expected.value_ns / 1e6
        assert found["low_ms"] == (None if expected.low_ns is None else expected.low_ns / 1e6)
        assert found["reason"] == expected.reason
    assert (row["runs"], row["used"], row["kept_apart"]) == (13, 12, {"golden image failed": 1})
    assert (row["device"], row["network"]) == (group.device_label, group.variant_label)


def test_overview_when_runs_come_says_the_same_as_one_that_starts_afterwards(store: Store) -> None:
    rng = np.random.default_rng(6)
    running = Overview(store)
    phone = dataclasses.replace(RUN.device, model="<b>\x00\u202e")
    nothing = {name: durations([]) for name in ("inference_ns", "sample_at_ns", "preprocess_ns", "postprocess_ns")}
    cold = dataclasses.replace(
        RUN, mode="cold", load_ns=7_000_000, first_inference_ns=5_000_000, compile_ns=None, **nothing
    )
    slowing = np.concatenate([np.full(50, 10), np.full(50, 15)]) * 1_000_000
    slow = dataclasses.replace(
        measured(1, 0, rng),
        mode="sustained",
        inference_ns=durations(slowing),
        sample_at_ns=durations(np.cumsum(slowing)),
    )
    for runs in ([measured(3, 0.05, rng)], [measured(4, 0.05, rng, device=phone), cold], [slow]):
        add(store, *runs, set_aside={3: "not JSON \x1b[31m"})
        running._rest_until = 0
        running.read()
    fresh = Overview(store).read()
    assert running.read() == fresh
    assert json.loads(json.dumps(fresh)) == fresh
    assert (fresh["runs"], fresh["set_aside_total"], len(fresh["phones"])) == (4, 3, 2)
    assert [row["throttled"] for row in fresh["rows"] if row["mode"] == "sustained"] == [1]
    [cold_row] = [row for row in fresh["rows"] if row["mode"] == "cold"]
    assert (cold_row["load"]["ms"], cold_row["first_inference"]["ms"]) == (7, 5)
    assert "\x1b" not in fresh["set_aside"][0]["reason"]
    assert not any("\x00" in phone["device"] for phone in fresh["phones"])


def test_plan_asks_for_the_least_known_first_and_leaves_out_what_is_known(store: Store) -> None:
    rng = np.random.default_rng(7)

    def bundle(number: int) -> BundleSummary:
        return BundleSummary(
            f"{number:064x}", f"{number:064d}", f"bundle {number}", "android", "r", "a", 1, 8, "random", 1, ""
        )

    def runs_of(number: int, count: int, spread: float, **device: Any) -> list[LatencyRun]:
        reference = dataclasses.replace(RUN.bundle, variant_id=f"{number:064d}")
        phone = dataclasses.replace(RUN.device, **device)
        return [measured(3, spread, rng, bundle=reference, device=phone) for _ in range(count)]

    add(
        store, *runs_of(1, 40, 0.001), *runs_of(2, 8, 0.2), *runs_of(3, 2, 0.1), *runs_of(4, 40, 0.001, model="Another")
    )
    rows = Overview(store).read()["rows"]
    plan = make_plan([bundle(number) for number in (1, 2, 3, 4)], rows, RUN.device.model)
    assert [planned.name for planned in plan] == ["bundle 4", "bundle 3", "bundle 2"]
    assert [planned.runs for planned in plan][:2] == [5, 3]
    assert 1 <= plan[2].runs <= 20
    assert "wide" in plan[2].reason


def test_plan_takes_the_thread_count_that_is_fastest_on_the_phone(store: Store) -> None:
    rng = np.random.default_rng(8)

    def runs_of(number: int, threads: int, median_ms: float) -> list[LatencyRun]:
        variant = dataclasses.replace(RUN.bundle, variant_id=f"{number:064d}")
        runtime = dataclasses.replace(RUN.runtime, threads=threads)
        return [measured(median_ms, 0.001, rng, bundle=variant, runtime=runtime) for _ in range(40)]

    add(store, *runs_of(1, 2, 3), *runs_of(1, 4, 1.5), *runs_of(1, 8, 9), *runs_of(2, 8, 5), *runs_of(3, 4, 5))
    bundles = [
        BundleSummary(f"{n:064x}", f"{n:064d}", f"bundle {n}", "android", "r", "a", 1, 8, "random", 1, "")
        for n in (1, 2, 3)
    ]
    rows = Overview(store).read()["rows"]
    (planned,) = make_plan(bundles, rows, RUN.device.model)  # of 1 and 3 all is known with 4 threads, of 2 nothing
    assert (planned.name, planned.runs, planned.threads) == ("bundle 2", 5, 4)
    assert planned.reason == "0 usable runs; 5 are wanted; 4 threads are fastest here"
    (elsewhere, *_) = make_plan(bundles, rows, "Another phone")
    assert elsewhere.threads is None


def test_plan_and_metrics_over_the_network(start_lab: Any) -> None:
    lab = start_lab()
    body = (to_json_line(RUN) + "\nnonsense\n").encode()
    with lab.client(lab.token("read", "write")) as client:
        sent = client.post("/v1/runs", content=body, headers={"Content-Type": "application/x-ndjson"}).json()
        assert (sent["accepted"], len(sent["rejected"])) == (1, 1)
        plan = client.get("/v1/plan", params={"device": "Pixel 8", "platform": "android"}).json()["plan"]
        assert [set(planned) for planned in plan] == [{"bundle_id", "name", "runs", "threads", "reason"}]
        assert client.get("/v1/plan").status_code == 422
        metrics = client.get("/metrics")
    assert metrics.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = metrics.text.splitlines()
    assert 'mobisdk_uploaded_lines_total{outcome="accepted"} 1' in lines
    assert 'mobisdk_uploaded_lines_total{outcome="rejected"} 1' in lines
    assert 'mobisdk_upload_seconds_bucket{le="+Inf"} 1' in lines
    assert 'mobisdk_http_requests_total{method="POST",status="200"} 1' in lines
    assert "mobisdk_waiting_runs 0" in lines
    lab.stop()
