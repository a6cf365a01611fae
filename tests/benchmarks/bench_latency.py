"""The numbers of docs/latency.md: simulations, and logs at size; with `--samples 1000000000` memory.

Every simulation is seeded. Times are of this machine, and of plain DuckDB beside ours in the same run.
"""

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.stats
from numpy.typing import NDArray
from scipy.special import log_ndtr

from mobisdk.latency.columns import read_block
from mobisdk.latency.engines import open_duckdb
from mobisdk.latency.frames import estimate_percentiles
from mobisdk.latency.large import analyze_tables
from mobisdk.latency.record import durations
from mobisdk.latency.run_columns import run_schema
from mobisdk.latency.shift import estimate_shift
from mobisdk.latency.stats import estimate_quantile
from mobisdk.latency.store import LogSet, read_tables

LINE = (Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0]
DATA_SETS = 2000
SPREAD = 0.05


def simulate(data_sets: int, runs: int, samples: int, noise: float, seed: int) -> NDArray[np.int64]:
    """Skewed, autocorrelated latencies in nanoseconds, shape (data sets, runs, samples); runs differ by `noise`."""
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((samples, data_sets, runs))
    for index in range(1, samples):
        normal[index] = 0.6 * normal[index - 1] + 0.8 * normal[index]
    logs = noise * rng.standard_normal((data_sets, runs)) - SPREAD * log_ndtr(-normal)
    return np.rint(2e6 * np.exp(logs)).astype(np.int64).transpose(1, 2, 0)


def measure_coverage() -> list[dict[str, Any]]:
    """How often the 95 % interval of the median holds the true one."""
    rows = []
    for noise in (0.005, 0.02, 0.05, 0.1, 0.2):
        truth = 2e6 * math.exp(scipy.stats.exponnorm(SPREAD / noise, scale=noise).ppf(0.5))
        for runs in (3, 4, 5, 10, 20):
            estimates = [estimate_quantile(list(each), 0.5) for each in simulate(DATA_SETS, runs, 60, noise, runs)]
            covered = np.mean([(e.low_ns or 0) <= truth <= (e.high_ns or 0) for e in estimates])
            rows.append({"runs": runs, "noise_percent": 100 * noise, "covered_percent": round(100 * covered, 1)})
    return rows


def measure_compare() -> list[dict[str, Any]]:
    """False alarms among equal sides, and how often a slowdown of a tenth is found."""
    rows = []
    for runs, change in ((5, 0.0), (10, 0.0), (20, 0.0), (10, 0.1), (20, 0.1)):
        data = simulate(2 * DATA_SETS, runs, 20, 0.05, 100 + runs)
        medians = np.median(data, axis=2)
        pairs = zip(medians[:DATA_SETS], medians[DATA_SETS:] * (1 + change), strict=True)
        verdicts = [
            estimate_shift(*([durations([round(m)]) for m in side] for side in pair), 0.05).verdict for pair in pairs
        ]
        rows.append(
            {
                "runs": runs,
                "change_percent": 100 * change,
                "slower_percent": 100 * np.mean(np.array(verdicts) == "slower"),
            }
        )
    return rows


RUNS_A_FILE = 20_000


def make_parquet(folder: Path, runs: int, samples: int) -> None:
    """Write `runs` of twenty phones and twelve bundles, each of them a run of the contract; files there are stay."""
    one, _, _ = read_block(LINE)
    rng = np.random.default_rng(0)
    spread = rng.lognormal(0, 0.05, (RUNS_A_FILE, samples))
    parts = [(part, rng.lognormal(0, 0.03, RUNS_A_FILE), int(rng.integers(RUNS_A_FILE))) for part in _parts(runs)]
    missing = [each for each in parts if not _name_part(folder, each[0]).exists()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda each: _write_part(folder, one, runs, spread, *each), missing):
            pass


def _name_part(folder: Path, part: int) -> Path:
    return folder / f"part-{part:011d}.parquet"


def _parts(runs: int) -> range:
    return range(0, runs, RUNS_A_FILE)


def _write_part(
    folder: Path,
    one: pa.Table,
    runs: int,
    spread: NDArray[np.float64],
    part: int,
    noise: NDArray[np.float64],
    turn: int,
) -> None:
    count, samples = min(RUNS_A_FILE, runs - part), spread.shape[1]
    numbers = np.arange(part, part + count)
    phone, bundle = numbers % 20, numbers // 20 % 12
    level = 1e6 * (1 + bundle) * (1 + phone / 20) * noise[:count]
    ns = (level[:, None] * np.roll(spread, turn, axis=0)[:count]).astype(np.int64)
    table = one.take(pa.array(np.zeros(count, dtype=np.int64)))
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    columns["run_id"] = pa.array([str(uuid.UUID(int=int(number) + 1)) for number in numbers])
    offsets = pa.array(np.arange(0, count * samples + 1, samples, dtype=np.int32))
    columns["inference_ns"] = pa.ListArray.from_arrays(offsets, pa.array(ns.ravel()))
    columns["sample_at_ns"] = pa.ListArray.from_arrays(offsets, pa.array(np.cumsum(ns, axis=1).ravel()))
    nothing = pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, dtype=np.int32)), pa.array([], pa.int64()))
    columns["preprocess_ns"] = columns["postprocess_ns"] = nothing
    for name, key, texts in (
        ("device", "model", [f"Phone {v}" for v in phone.tolist()]),
        ("bundle", "variant_id", [f"{v:064x}" for v in bundle.tolist()]),
    ):
        struct = columns[name]
        children = [pa.array(texts) if field.name == key else struct.field(field.name) for field in struct.type]
        columns[name] = pa.StructArray.from_arrays(children, fields=list(struct.type))
    target = _name_part(folder, part)
    pq.write_table(
        pa.table(list(columns.values()), schema=run_schema()),
        target.with_suffix(".half"),
        compression="zstd",
        use_dictionary=["device", "bundle", "runtime"],
        column_encoding=dict.fromkeys(
            ("inference_ns.list.element", "sample_at_ns.list.element"), "DELTA_BINARY_PACKED"
        ),
    )
    target.with_suffix(".half").rename(target)


def measure_percentiles(folder: Path) -> dict[str, float]:
    """Percentiles by device × bundle: ours and plain DuckDB's, in turns, the best of three."""
    files = sorted(folder.glob("*.parquet"))
    tables = LogSet(tuple(files), run_schema().empty_table(), (), 0, tuple(files))
    plain = f"""
        SELECT device, bundle, quantile_cont(ns, [0.5, 0.9, 0.99]) FROM (
            SELECT device.model AS device, bundle.variant_id AS bundle, unnest(inference_ns) AS ns
            FROM read_parquet('{folder}/*.parquet')
        ) GROUP BY ALL ORDER BY ALL
    """  # noqa: S608

    def ours() -> list[list[float]]:
        import narwhals as nw

        with open_duckdb(tables) as engine:
            runs = engine.runs.select(
                "inference_ns",
                device_model=nw.col("device").struct.field("model"),
                variant=nw.col("bundle").struct.field("variant_id"),
            )
            keys = runs.group_by("device_model", "variant").agg().collect("pyarrow").to_native()
            keys = keys.sort_by([("device_model", "ascending"), ("variant", "ascending")])
            keys = keys.append_column("group", pa.array(range(keys.num_rows), pa.int64()))
            numbered = runs.join(engine.upload(keys), on=["device_model", "variant"], how="inner")
            samples = engine.explode(numbered.select("group", ns="inference_ns"))
            _, values = estimate_percentiles(samples, engine.upload, (0.5, 0.9, 0.99))
            return np.array(list(values.values())).T.tolist()

    def theirs() -> list[list[float]]:
        with duckdb.connect() as connection:
            return [row[2] for row in connection.sql(plain).fetchall()]

    assert np.allclose(ours(), theirs(), rtol=1e-9)
    best = {"ours_s": math.inf, "duckdb_s": math.inf}
    for _ in range(3):
        for name, run in (("ours_s", ours), ("duckdb_s", theirs)):
            best[name] = min(best[name], take_time(run))
    return best | {"ratio": best["ours_s"] / best["duckdb_s"]}


def measure_jsonl(folder: Path) -> dict[str, float]:
    """Reading JSON Lines with every check, best of three."""
    document = json.loads(LINE)
    rng = np.random.default_rng(0)
    path = folder / "runs.jsonl"
    with path.open("w", encoding="ascii") as file:
        for number in range(40_000):
            samples = (2e6 * rng.lognormal(0, 0.05, 100)).astype(int)
            document |= {
                "run_id": str(uuid.UUID(int=number + 1)), "inference_ns": samples.tolist(),
                "preprocess_ns": (samples // 3).tolist(), "postprocess_ns": (samples // 100).tolist(),
                "sample_at_ns": np.cumsum(samples).tolist(),
            }  # fmt: skip
            file.write(json.dumps(document, separators=(",", ":")) + "\n")
    size = path.stat().st_size
    wall, processor = [], []
    for _ in range(3):
        begun = time.process_time()
        wall.append(take_time(lambda: read_tables([path])))
        processor.append(time.process_time() - begun)
    path.unlink()
    return {
        "megabytes": size / 1e6,
        "megabytes_per_s": size / 1e6 / min(wall),
        "megabytes_per_processor_s": size / 1e6 / min(processor),
    }


def measure_memory(folder: Path, samples: int) -> dict[str, Any]:
    """Many samples in Parquet, in a process of its own whose peak memory is told; every row is checked first."""
    make_parquet(folder, samples // 100, 100)
    program = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from bench_latency import analyze_folder
analyze_folder({str(folder)!r})
"""
    started = time.perf_counter()
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {"seconds": time.perf_counter() - started, "peak_gib": peak / 2**30, **json.loads(told)}


def analyze_folder(folder: str) -> None:
    """Analyze a folder of Parquet as `analyze` does, with DuckDB held to 5 GB."""
    started = time.perf_counter()
    tables = read_tables([Path(folder)])
    read_s = time.perf_counter() - started
    with open_duckdb(tables, memory="5GB") as engine:
        report = analyze_tables(tables, engine)
    tell(
        {
            "read_s": read_s, "runs": report.runs, "groups": len(report.groups),
            "samples": sum(warm.samples for group in report.groups for warm in group.warm),
        }
    )  # fmt: skip


def take_time(run: Callable[[], object]) -> float:
    """Wall time in seconds."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def tell(figures: dict[str, Any]) -> None:
    """Print a line of JSON."""
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Print what is asked for, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, help="Analyze so many, of which 10**9 are meant, and tell the memory.")
    parser.add_argument("--folder", type=Path, help="Where they lie, and stay.  [default: a temporary one]")
    parser.add_argument("--only", choices=["coverage", "compare", "percentiles", "jsonl"])
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mobisdk-bench-"))
    try:
        if arguments.samples:
            place = arguments.folder or folder
            place.mkdir(parents=True, exist_ok=True)
            tell({"memory": measure_memory(place, arguments.samples)})
            return
        if arguments.only in (None, "coverage"):
            tell({"coverage": measure_coverage()})
        if arguments.only in (None, "compare"):
            tell({"compare": measure_compare()})
        if arguments.only in (None, "jsonl"):
            tell({"jsonl": measure_jsonl(folder)})
        if arguments.only in (None, "percentiles"):
            make_parquet(folder, 200_000, 100)
            tell({"percentiles": measure_percentiles(folder)})
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
