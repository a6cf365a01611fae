import dataclasses
import gzip
import importlib.util
import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.errors import ConfigError, DataError
from mobisdk.latency.engines import Engine, open_duckdb, open_spark
from mobisdk.latency.export import name_folder
from mobisdk.latency.frames import estimate_groups
from mobisdk.latency.in_memory import analyze_runs
from mobisdk.latency.large import analyze_tables
from mobisdk.latency.log import parse_run, to_json_line
from mobisdk.latency.parquet import find_shared, hash_ids
from mobisdk.latency.record import LatencyRun, durations
from mobisdk.latency.stats import estimate_quantile
from mobisdk.latency.store import read_logs, read_tables
from mobisdk.report.document import to_document

LINES = (Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()
RUN = parse_run(LINES[0])


def make_runs(count: int, seed: int = 0) -> list[LatencyRun]:
    """Runs of two phones, an emulator and two networks, some of which tell of something else."""
    rng = np.random.default_rng(seed)
    runs = []
    for number in range(count):
        phone, network = number % 2, number // 2 % 2
        samples = (
            2e6 * (1 + phone + 2 * network) * rng.lognormal(0, 0.03) * rng.lognormal(0, 0.1, 20 + number % 7)
        ).astype(int)
        if number == 16:
            samples = samples // 1000  # microseconds in a field of nanoseconds
        has_phases = network == 1 or number % 3 == 0  # so one network has all three together
        runs.append(
            dataclasses.replace(
                RUN,
                run_id=str(uuid.UUID(int=number + 1 + 1000 * seed)),
                device=dataclasses.replace(
                    RUN.device, model=f"Phone {phone}", memory_bytes=number, is_emulator=number % 17 == 5
                ),
                bundle=dataclasses.replace(RUN.bundle, variant_id=f"{network:064x}"),
                conditions=dataclasses.replace(
                    RUN.conditions, low_power_mode=number % 11 == 0, battery_level=0.1 if number % 13 == 0 else None
                ),
                inference_ns=durations(samples.tolist()),
                sample_at_ns=durations(np.cumsum(samples).tolist()),
                preprocess_ns=durations((samples // 3).tolist() if has_phases else []),
                postprocess_ns=durations((samples // 50).tolist() if has_phases and number % 5 else []),
                started_at=f"2026-03-0{1 + number % 3}T09:30:00Z",
            )
        )  # fmt: skip
    return runs


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "runs.jsonl"
    lines = [to_json_line(run).encode() for run in make_runs(60)]
    path.write_bytes(b"\n".join([*lines, *LINES[1:], b"cut off {", lines[0]]) + b"\n")
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def without_course(document: dict[str, Any]) -> dict[str, Any]:
    """What an engine computes: all but what happens within runs."""
    for group in document["groups"]:
        group["device"].pop("memory_bytes")
        group["weights_sources"].sort()
        for warm in group["warm"]:
            warm.pop("course")
    document.pop("summary")
    return document


def analyze_at_size(paths: list[Path], opened: Any) -> dict[str, Any]:
    tables = read_tables(paths)
    with opened(tables) as engine:
        return without_course(to_document(analyze_tables(tables, engine)))


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Equal, means to 1e-9: engines add in another order."""
    for one, other in zip(found["groups"], expected["groups"], strict=True):
        for warm, known in zip(one["warm"], other["warm"], strict=True):
            mean, known_mean = warm.pop("mean_ns"), known.pop("mean_ns")
            assert mean == (known_mean and pytest.approx(known_mean, rel=1e-9))
            assert warm == known
    assert found == expected


def test_duckdb_gives_what_reading_run_by_run_gives(log: Path) -> None:
    expected = without_course(to_document(analyze_runs(read_logs([log]))))
    found = analyze_at_size([log], open_duckdb)
    assert_same(found, expected)
    assert (found["duplicate_runs"], len(found["set_aside"])) == (1, 1)
    warm = [warm for group in found["groups"] for warm in group["warm"]]
    reasons = {reason for each in warm for reason in each["kept_apart"]}
    assert {"1,000 times off the others: a slip of unit?", "ran on an emulator", "low battery"} <= reasons
    assert any(each["end_to_end"] for each in warm)
    assert any(each["preprocess"] and not each["end_to_end"] for each in warm)


@pytest.mark.skipif(
    importlib.util.find_spec("pyspark") is None or shutil.which("java") is None, reason="needs Spark and Java"
)
def test_spark_gives_what_duckdb_gives(tmp_path: Path) -> None:
    log = tmp_path / "few.jsonl"
    log.write_bytes(b"".join(to_json_line(run).encode() + b"\n" for run in make_runs(24)))
    on_spark = analyze_at_size([log], lambda tables: open_spark(tables, "local[2]"))
    on_duckdb = analyze_at_size([log], open_duckdb)
    assert_same(on_spark, on_duckdb)


def test_master_that_does_not_answer_is_told_at_once(log: Path) -> None:
    pytest.importorskip("pyspark")
    status, out, err = run("analyze", log, "--engine", "spark", "--master", "spark://127.0.0.1:1")
    assert (status, out) == (1, "")
    assert "Error: the Spark master does not answer: Connection refused, got 'spark://127.0.0.1:1'" in err
    tables = read_tables([log])
    with pytest.raises(ConfigError, match="--master is no Spark master"), open_spark(tables, "cluster") as _:
        pass


def test_quantiles_of_skewed_runs_are_numpys_to_the_nanosecond() -> None:
    import duckdb

    rng = np.random.default_rng(3)
    runs = [
        (g, r, (10 ** (3 + 2 * g) * rng.lognormal(0, 1, rng.integers(1, 80))).astype(int))
        for g in range(3)
        for r in range(12)
    ]
    runs.append((3, 0, np.array([0, 0, 10**18])))
    parts = [(np.full(len(ns), g), np.full(len(ns), 100 * g + r), ns) for g, r, ns in runs]
    group, name, ns = (np.concatenate(column) for column in zip(*parts, strict=True))
    with duckdb.connect() as connection:

        def upload(table: pa.Table) -> "nw.LazyFrame[Any]":
            return nw.from_native(connection.from_arrow(table)).lazy()

        found = estimate_groups(
            upload(pa.table({"group": group, "run": name, "ns": ns})), upload, (0.1, 0.5, 0.9, 0.99)
        )
    for number in range(4):
        own = [durations(ns.tolist()) for g, _, ns in runs if g == number]
        pooled = np.concatenate(own)
        assert found[number].quantiles == {q: estimate_quantile(own, q) for q in (0.1, 0.5, 0.9, 0.99)}
        assert found[number].mean_ns == pytest.approx(pooled.mean(), rel=1e-12)
        assert found[number].mad_ns == pytest.approx(np.median(np.abs(pooled - np.median(pooled))), abs=1)


def test_logs_of_every_form_are_read_alike(tmp_path: Path) -> None:
    plain = b"".join(to_json_line(run).encode() + b"\n" for run in make_runs(12))
    (tmp_path / "a.jsonl").write_bytes(plain)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(plain))
    with pa.output_stream(str(tmp_path / "c.jsonl.zst"), compression="zstd") as file:
        file.write(plain)
    assert run("logs", "export", tmp_path / "a.jsonl", "--parquet", tmp_path / "d")[0] == 0
    expected = read_logs([tmp_path / "a.jsonl"]).runs
    for name in ("b.jsonl.gz", "c.jsonl.zst", "d", "*.jsonl"):
        found = read_logs([tmp_path / name])
        assert found.set_aside == ()
        assert sorted(map(to_json_line, found.runs)) == sorted(map(to_json_line, expected))
    everything = read_logs([tmp_path])
    assert (len(everything.runs), everything.duplicates) == (12, 36)
    assert read_tables([tmp_path / "b.jsonl.gz", tmp_path / "c.jsonl.zst"]).duplicates == 12


@pytest.mark.parametrize("name", ["cut.jsonl.gz", "cut.jsonl.zst"])
def test_compressed_log_that_was_cut_gives_what_is_whole_and_says_so(tmp_path: Path, name: str) -> None:
    plain = b"".join(to_json_line(run).encode() + b"\n" for run in make_runs(400))
    if name.endswith("gz"):
        whole = gzip.compress(plain)
    else:
        with pa.output_stream(str(tmp_path / "w.zst"), compression="zstd") as file:
            file.write(plain)
        whole = (tmp_path / "w.zst").read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    logs, tables = read_logs([tmp_path / name]), read_tables([tmp_path / name])
    for found in (logs, tables):
        assert any("damaged or was cut" in aside.reason or "not JSON" in aside.reason for aside in found.set_aside)
    if name.endswith("gz"):
        assert len(logs.runs) > 0


def test_file_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not PAR1")
    assert "is no Parquet log" in read_logs([tmp_path]).set_aside[0].reason
    with pytest.raises(DataError, match="is no Parquet log"):
        read_tables([tmp_path])
    pq.write_table(pa.table({"run_id": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="its column schema is missing"):
        read_tables([tmp_path])


def test_export_is_parted_by_device_and_day_and_engines_read_it(log: Path, tmp_path: Path) -> None:
    target = tmp_path / "parquet"
    status, out, _ = run("logs", "export", log, "--parquet", target, "--json", "--set-aside", tmp_path / "aside.jsonl")
    assert status == 0
    document = json.loads(out)
    assert (document["runs"], document["set_aside"]) == (60 + len(LINES) - 1, 1)
    aside = json.loads((tmp_path / "aside.jsonl").read_text())
    assert (aside["file"], aside["line"]) == (str(log), 60 + len(LINES))
    parts = {path.relative_to(target).parts[:2] for path in target.rglob("*.parquet")}
    assert (f"device_name={name_folder('Phone 0')}", "day=2026-03-01") in parts
    exported, lines = analyze_at_size([target], open_duckdb), analyze_at_size([log], open_duckdb)
    assert exported["groups"] == lines["groups"]
    assert run("logs", "export", log, "--parquet", target)[0] == 1


@pytest.mark.parametrize("name", ["../../etc", "a/b", "x" * 10_000, "<b>\n", "", "هاتف"])
def test_folder_of_a_device_is_a_plain_name(name: str) -> None:
    folder = name_folder(name)
    assert set(folder) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")
    assert 0 < len(folder) < 60
    assert folder != name_folder(name + ".")


def test_analyze_with_an_engine_prints_the_same_table(log: Path) -> None:
    status, out, err = run("analyze", log, "--engine", "duckdb")
    assert status == 0
    assert "Phone 1" in out
    assert "1 line set aside" in err
    assert run("analyze", log, "--engine", "duckdb", "--html", log.with_suffix(".html"))[0] == 2


def test_set_aside_lines_go_to_a_file_on_request(log: Path, tmp_path: Path) -> None:
    assert run("analyze", log, "--set-aside", tmp_path / "aside.jsonl")[0] == 0
    (line,) = (tmp_path / "aside.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "file": str(log), "line": 60 + len(LINES), "reason": json.loads(line)["reason"]
    }  # fmt: skip
    assert "not JSON" in json.loads(line)["reason"]


def test_engine_without_a_run_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\n")
    tables = read_tables([tmp_path])
    with open_duckdb(tables) as engine, pytest.raises(DataError, match="no run in these logs"):
        analyze_tables(tables, engine)
    assert isinstance(engine, Engine)


def test_parquet_with_odd_rows_and_runs_that_are_elsewhere_too_counts_as_run_by_run(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(b"".join(to_json_line(run).encode() + b"\n" for run in make_runs(12)))
    assert run("logs", "export", folder, "--parquet", tmp_path / "export")[0] == 0
    for number, part in enumerate(sorted((tmp_path / "export").rglob("*.parquet"))):
        shutil.copy(part, folder / f"b{number}.parquet")  # every run once more
    (tmp_path / "more.jsonl").write_bytes(b"".join(to_json_line(run).encode() + b"\n" for run in make_runs(9, seed=1)))
    assert run("logs", "export", tmp_path / "more.jsonl", "--parquet", tmp_path / "other")[0] == 0
    whole, broken, *_ = sorted((tmp_path / "other").rglob("*.parquet"))
    shutil.copy(whole, folder / "c.parquet")
    rows = pq.read_table(broken, partitioning=None)
    wrong = pa.array(["not a mode", *rows["mode"].to_pylist()[1:]])
    pq.write_table(rows.set_column(rows.schema.get_field_index("mode"), "mode", wrong), folder / "d.parquet")
    tables, logs = read_tables([folder]), read_logs([folder])
    assert tables.parquet == (folder / "c.parquet",)
    assert tables.duplicates == logs.duplicates == 12
    assert [(a.file, a.line, a.reason) for a in tables.set_aside] == [
        (a.file, a.line, a.reason) for a in logs.set_aside
    ]
    assert len(tables.set_aside) == 1
    assert_same(analyze_at_size([folder], open_duckdb), without_course(to_document(analyze_runs(logs))))


def test_hash_of_an_id_is_that_of_its_other_letters_and_of_no_other_id() -> None:
    ids = [str(uuid.UUID(int=number)) for number in range(5000)] + [str(uuid.uuid5(uuid.NAMESPACE_DNS, "é"))]
    small, large = (hash_ids(pa.table({"run_id": [form(each) for each in ids]})) for form in (str.lower, str.upper))
    assert (small == large).all()
    assert len(np.unique(small)) == len(ids)
    part = pa.table({"run_id": ids}).slice(4000)
    assert (hash_ids(part) == small[4000:]).all()
    assert set(find_shared([small[:3], small[2:9], small[8:9]]).tolist()) == set(small[[2, 8]].tolist())
