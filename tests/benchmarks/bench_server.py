"""The lab server's numbers: `make bench-server`. The table goes into docs/server.md.

Server and load generator share this computer. Parts can be named: `bench_server.py sqlite postgresql kills soak page`.
"""

import gzip
import http.client
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from lab_process import LabProcess, make_body, read_run_ids, template_lines, upload, wait_until

BATCH, PHONES, TARGET_RUNS_A_SECOND, SECONDS = 50, 200, 2000, 20
SOAK_PHONES = 10


def report(name: str, found: str, wanted: str) -> None:
    sys.stdout.write(f"| {name} | {found} | {wanted} |\n")
    sys.stdout.flush()


def measure_ingest(name: str, store: str, folder: Path, target: int) -> None:
    """200 phones upload at `target` runs a second together; then as fast as 16 connections go."""
    lab = LabProcess(folder, store)
    lab.start()
    tokens = lab.tokens(PHONES)
    templates = template_lines(400)
    rounds = SECONDS * target // BATCH // PHONES
    bodies = [gzip.compress(make_body(templates, n * BATCH, BATCH)[1], 1) for n in range(PHONES * rounds)]
    period = BATCH * PHONES / target
    acks: list[float] = []
    lock = threading.Lock()
    start = time.perf_counter() + 1

    def run_phone(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", lab.port, timeout=60)
        offset = np.random.default_rng(number).uniform(0, period)
        for turn in range(rounds):
            wait_until(start + turn * period + offset)
            sent = time.perf_counter()
            answer = upload(connection, tokens[number], bodies[number * rounds + turn], is_gzip=True)
            with lock:
                acks.append(time.perf_counter() - sent)
            assert answer["accepted"] == BATCH
        connection.close()

    with ThreadPoolExecutor(PHONES) as pool:
        list(pool.map(run_phone, range(PHONES)))
    took = time.perf_counter() - start
    rate = len(bodies) * BATCH / took
    p50, p99 = (1000 * float(np.quantile(acks, q)) for q in (0.5, 0.99))
    report(
        f"{name}: {PHONES} phones at {target} runs/s for {took:.0f} s",
        f"{rate:.0f} runs/s; ack p50 {p50:.0f} ms, p99 {p99:.0f} ms",
        "p99 at most 250 ms",
    )

    bodies = [gzip.compress(make_body(templates, n * BATCH, BATCH)[1], 1) for n in range(800)]

    def run_fast(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", lab.port, timeout=60)
        for body in bodies[number::16]:
            assert upload(connection, tokens[number], body, is_gzip=True)["accepted"] == BATCH
        connection.close()

    began = time.perf_counter()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(run_fast, range(16)))
    took = time.perf_counter() - began
    report(
        f"{name}: 16 connections as fast as they go",
        f"{len(bodies) * BATCH / took:.0f} runs/s",
        f"at least {target} runs/s",
    )
    assert lab.end(signal.SIGTERM) == 0


def measure_kills(folder: Path) -> None:
    """20 times kill -9 at a random moment under load, then once SIGTERM."""
    lab = LabProcess(folder, "runs.db")
    templates = template_lines(400)
    rng = np.random.default_rng(2)
    acknowledged: set[str] = set()
    lock = threading.Lock()
    lab.start()
    tokens = lab.tokens(8)

    def run_phone(number: int, stop: threading.Event) -> None:
        turn = 0
        try:
            connection = http.client.HTTPConnection("127.0.0.1", lab.port, timeout=10)
            while not stop.is_set():
                ids, body = make_body(templates, turn * 10, 10)
                answer = upload(connection, tokens[number], body)
                with lock:
                    acknowledged.update(ids[: answer["accepted"]])
                turn += 1
        except (OSError, http.client.HTTPException, ValueError):
            return  # killed in the middle: nothing was acknowledged

    for number in range(21):
        stop = threading.Event()
        threads = [threading.Thread(target=run_phone, args=(phone, stop)) for phone in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.2, 1.2))
        is_last = number == 20
        if is_last:
            status = lab.end(signal.SIGTERM)
        else:
            lab.end(signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()
        if not is_last:
            lab.start()
    found = read_run_ids(lab)
    lost, twice = len(acknowledged - set(found)), len(found) - len(set(found))
    report(
        f"kill -9 at 20 random moments, {len(acknowledged):,} runs acknowledged",
        f"{lost} lost, {twice} twice; SIGTERM exits {status}",
        "0 lost, 0 twice; exits 0",
    )
    assert sqlite3.connect(folder / "runs.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)


def measure_soak(folder: Path, minutes: float) -> None:
    """10 phones, each an upload of 10 runs a second; memory after a tenth of the time against the end's."""
    lab = LabProcess(folder, "runs.db")
    lab.start()
    tokens = lab.tokens(SOAK_PHONES)
    templates = template_lines(400)
    start = time.perf_counter()
    end = start + minutes * 60
    memory: list[tuple[float, int]] = []

    def run_phone(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", lab.port, timeout=60)
        turn = 0
        while time.perf_counter() < end:
            wait_until(start + turn + number / SOAK_PHONES)
            upload(connection, tokens[number], make_body(templates, turn * 10, 10)[1])
            connection.request("GET", "/v1/overview", headers={"Authorization": f"Bearer {tokens[number]}"})
            connection.getresponse().read()
            turn += 1
            if number == 0:
                memory.append((time.perf_counter() - start, lab.memory_bytes()))

    with ThreadPoolExecutor(SOAK_PHONES) as pool:
        list(pool.map(run_phone, range(SOAK_PHONES)))
    warm = [size for at, size in memory if at >= minutes * 60 * 0.1]
    early, late = np.median(warm[: len(warm) // 10 or 1]), np.median(warm[-(len(warm) // 10 or 1) :])
    report(
        f"soak: {SOAK_PHONES} phones × {minutes:g} minutes, 100 runs/s",
        f"{(late - early) / 1e6:+.1f} MB after warm-up (at {late / 1e6:.0f} MB)",
        "at most +20 MB",
    )
    lab.end(signal.SIGTERM)


def measure_page(folder: Path, runs: int = 100_000) -> None:
    """First paint, and how long a new run takes to show, with many runs in the store."""
    from playwright.sync_api import sync_playwright

    lab = LabProcess(folder, "runs.db")
    lab.start()
    [token] = lab.tokens(1)
    templates = template_lines(4000)
    connection = http.client.HTTPConnection("127.0.0.1", lab.port, timeout=60)
    for first in range(0, runs, 500):
        upload(connection, token, make_body(templates, first, 500)[1])
    lab.end(signal.SIGTERM)
    lab.start()
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{lab.port}/#code={lab.code}")
        page.wait_for_selector("#count-runs")
        page.wait_for_selector("#pareto-chart:not(:empty)")
        paints, figures, charts = [], [], []
        for _ in range(5):
            page.goto(f"http://127.0.0.1:{lab.port}/?again")
            page.wait_for_selector("#count-runs")
            figures.append(page.evaluate("performance.now()"))
            page.wait_for_selector("#latency-chart svg")
            charts.append(page.evaluate("performance.now()"))
            paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        shown = []
        for _ in range(5):
            before = page.inner_text("#count-runs")
            began = time.perf_counter()
            connection = http.client.HTTPConnection("127.0.0.1", lab.port, timeout=60)
            upload(connection, token, make_body(templates, 0, 1)[1])
            page.wait_for_function("(before) => document.querySelector('#count-runs').innerText !== before", arg=before)
            shown.append(time.perf_counter() - began)
        browser.close()
    report(
        f"page with {runs:,} runs: first contentful paint (largest of 5)",
        f"{max(paints):.0f} ms; figures after {max(figures):.0f} ms, charts after {max(charts):.0f} ms",
        "at most 1000 ms",
    )
    report("a new run shows (largest of 5)", f"{max(shown):.2f} s", "at most 2 s")
    lab.end(signal.SIGTERM)


def with_postgresql(measure: Any) -> None:
    """A PostgreSQL of its own, with its own defaults: fsync and synchronous_commit are on."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    folder = Path(tempfile.mkdtemp(prefix="mobisdk-pg-", dir="/tmp"))
    as_user: list[str] = []
    if os.getuid() == 0:
        subprocess.run(["chown", "postgres", folder], check=True)
        as_user = ["runuser", "-u", "postgres", "--"]

    def call(*command: Any) -> None:
        subprocess.run([*as_user, *command], check=True, stdout=subprocess.DEVNULL, cwd=folder)

    call(binaries / "initdb", "-D", folder / "data", "-U", "lab", "-A", "trust", "-E", "UTF8")
    options = f"-k {folder} -c listen_addresses=''"
    call(binaries / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start")
    try:
        call(binaries / "createdb", "-h", folder, "-U", "lab", "lab")
        measure(f"postgresql://lab@/lab?host={folder}")
    finally:
        call(binaries / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
        subprocess.run(["rm", "-rf", folder], check=True)


def main(parts: list[str]) -> None:
    sys.stdout.write("| measured | found | wanted |\n|---|---|---|\n")
    for part in parts or ["sqlite", "postgresql", "kills", "soak", "page"]:
        with tempfile.TemporaryDirectory(prefix="mobisdk-bench-") as name:
            folder = Path(name)
            if part == "sqlite":
                measure_ingest("SQLite", "runs.db", folder, TARGET_RUNS_A_SECOND)
            elif part == "postgresql":
                with_postgresql(lambda url, folder=folder: measure_ingest("PostgreSQL", url, folder, 1500))
            elif part == "kills":
                measure_kills(folder)
            elif part.startswith("soak"):
                measure_soak(folder, float(part.partition("=")[2] or 10))
            elif part == "page":
                measure_page(folder)
            else:
                raise SystemExit(f"no such part: {part}")


if __name__ == "__main__":
    main(sys.argv[1:])
