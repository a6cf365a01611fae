import csv
import dataclasses
import io
import json
import resource
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.latency.log import append_run, parse_run, to_json_line
from mobisdk.latency.record import durations

LINES = (Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()
RUN = parse_run(LINES[0])
PROGRAM = [sys.executable, "-m", "mobisdk"]


def run(*arguments: object) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of `mobisdk analyze`."""
    result = CliRunner().invoke(app, ["analyze", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "runs.jsonl"
    path.write_bytes(b"\n".join(LINES) + b"\n")
    return path


def test_analyze_prints_a_table_and_what_it_means(log: Path) -> None:
    status, out, err = run(log)
    assert status == 0
    assert "Google Pixel 8 (Tensor G3), 9 cores, Android 15" in out
    assert "mobilenet_v1" in out
    assert "takes 1.84 ms." in out
    assert err == ""


def test_analyze_when_asked_for_json_prints_one_document(log: Path) -> None:
    status, out, _ = run(log, "--json")
    document = json.loads(out)
    assert status == 0
    assert document["runs"] == len(LINES)
    assert {"schema", "files", "runs", "duplicate_runs", "set_aside", "groups", "summary"} == set(document)


def test_analyze_when_asked_for_csv_writes_the_file_or_stdout(log: Path, tmp_path: Path) -> None:
    table = tmp_path / "figures.csv"
    assert run(log, "--csv", table)[0] == 0
    status, out, _ = run(log, "--csv", "-")
    assert status == 0
    assert out == table.read_text(encoding="utf-8")
    assert len(list(csv.DictReader(io.StringIO(out)))) == len(json.loads(run(log, "--json")[1])["groups"]) + 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures.csv", "runs.jsonl"]


def test_analyze_when_json_and_csv_both_want_stdout_is_a_usage_error(log: Path) -> None:
    status, out, err = run(log, "--json", "--csv", "-")
    assert (status, out) == (2, "")
    assert "both want stdout" in err


def test_analyze_when_csv_cannot_be_written_leaves_nothing(log: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for target in (tmp_path / "folder.csv", tmp_path / "missing" / "figures.csv"):
        status, out, err = run(log, "--csv", target)
        assert (status, out) == (1, "")
        assert err.startswith("Error: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.csv", "runs.jsonl"]


def test_analyze_when_lines_are_spoilt_counts_them_on_stderr_and_goes_on(log: Path) -> None:
    cut = LINES[0][:-100].replace(b"0001", b"0002")
    log.write_bytes(b"\n".join([LINES[0], cut, b"\x1b[31m", b"\xff", b"{}", b"[]"]) + b"\n")
    status, out, err = run(log)
    assert status == 0
    assert "takes 1.84 ms." in out
    lines = err.splitlines()
    assert lines[0] == "5 lines set aside:"
    assert lines[1].startswith(f"  {log}:2: the line is not JSON")
    assert lines[4] == "  and 2 more"
    assert "\x1b" not in err


@pytest.mark.parametrize("content", [b"", b"\n", LINES[0][:300], b"\0" * 100, b"PK\x03\x04"])
def test_analyze_when_a_log_holds_no_run_is_an_error_of_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.jsonl").write_bytes(content)
    status, out, err = run(tmp_path, "--json")
    assert (status, out) == (1, "")
    assert err.startswith("Error: no run in these logs")
    assert err.count("\n") == 1


def test_analyze_when_a_path_is_wrong_says_so(tmp_path: Path) -> None:
    assert run(tmp_path / "missing.jsonl")[::2] == (
        1,
        f"Error: no such log, got '{tmp_path / 'missing.jsonl'}'. `mobisdk bench` writes one\n",
    )
    assert run(tmp_path)[2].startswith("Error: the folder holds no log")


def test_analyze_when_names_are_hostile_prints_nothing_that_acts(tmp_path: Path) -> None:
    name = "\x1b[2J\x9b2J\u202e[bold]:skull:"
    append_run(tmp_path / "runs.jsonl", dataclasses.replace(RUN, device=dataclasses.replace(RUN.device, model=name)))
    other = dataclasses.replace(RUN, run_id=str(uuid.uuid4()))
    append_run(tmp_path / "runs.jsonl", other)
    for arguments in ([], ["--csv", "-"]):
        status, out, _ = run(tmp_path, *arguments)
        assert status == 0
        assert "[2J�2J�[bold]:skull:" in out
        assert not {"\x1b", "\x9b", "\u202e"} & set(out)


def test_analyze_when_finished_has_imported_no_toolchain(log: Path) -> None:
    program = f"""
import sys
from mobisdk.cli import main
sys.argv = ["mobisdk", "analyze", {str(log)!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end
heavy = {{"torch", "executorch", "coremltools", "torchao", "lightning", "sklearn", "altair", "pandas", "scipy.stats"}}
sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_analyze_of_a_thousand_runs_of_a_hundred_samples_takes_at_most_two_seconds(tmp_path: Path) -> None:
    """Processor time of the whole process, best of three: wall time would count whatever else runs here."""
    rng = np.random.default_rng(0)
    with (tmp_path / "runs.jsonl").open("w", encoding="ascii") as file:
        for index in range(1000):
            samples = (2e6 * rng.lognormal(0, 0.05, 100)).astype(np.int64)
            made = dataclasses.replace(
                RUN,
                run_id=str(uuid.UUID(int=index + 1)),
                bundle=dataclasses.replace(RUN.bundle, variant_id=f"{index % 4:064x}"),
                device=dataclasses.replace(RUN.device, model=f"Phone {index % 20 // 4}"),
                inference_ns=durations(samples),
                preprocess_ns=durations(samples // 3),
                postprocess_ns=durations(samples // 100),
                sample_at_ns=durations(np.cumsum(samples)),
            )
            file.write(to_json_line(made) + "\n")
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([*PROGRAM, "analyze", str(tmp_path)], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert all(f"Phone {number}" in done.stdout for number in range(5))
    assert min(seconds) <= 2.0
