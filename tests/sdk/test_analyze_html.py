import dataclasses
import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.latency.log import parse_run, to_json_line
from mobisdk.report.frame import is_page

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])
EVALUATION: dict[str, Any] = {
    "bundle_id": RUN.bundle.bundle_id, "variant_id": RUN.bundle.variant_id, "weights_source": "checkpoint",
    "image_set_sha256": "ab", "images": 360, "accuracy": 0.975, "interval_95": [0.953, 0.987],
}  # fmt: skip


def run(*arguments: object) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of `mobisdk analyze`."""
    result = CliRunner().invoke(app, ["analyze", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def log(tmp_path: Path) -> Path:
    runs = [dataclasses.replace(RUN, run_id=str(uuid.UUID(int=number + 1))) for number in range(5)]
    path = tmp_path / "runs.jsonl"
    path.write_text("".join(to_json_line(run) + "\n" for run in runs), encoding="ascii")
    return path


def evaluation(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps(EVALUATION | changes))
    return path


def test_report_is_written_beside_the_table_and_named_on_stderr(log: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    status, out, err = run(log, "--html", target)
    assert (status, err) == (0, f"Report: {target}\n")
    assert "takes 1.840 ms." in out
    assert is_page(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "runs.jsonl"]


def test_report_goes_with_json_and_csv(log: Path, tmp_path: Path) -> None:
    status, out, _ = run(log, "--html", tmp_path / "r.html", "--csv", tmp_path / "r.csv", "--json")
    assert status == 0
    assert json.loads(out)["runs"] == 5
    assert is_page(tmp_path / "r.html")
    assert (tmp_path / "r.csv").exists()


def test_report_is_written_over_an_older_one(log: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    assert run(log, "--html", target)[0] == 0
    first = target.read_text(encoding="utf-8")
    accuracy = evaluation(tmp_path / "accuracy.json")
    assert run(log, "--html", target, "--accuracy", accuracy)[0] == 0
    assert "97.5 [95.3, 98.7]" not in first
    assert "97.5 [95.3, 98.7]" in target.read_text(encoding="utf-8")


def test_report_is_never_written_over_a_log(log: Path) -> None:
    before = log.read_bytes()
    status, out, err = run(log, "--html", log)
    assert (status, out) == (1, "")
    assert err.startswith("Error: --html would write over a file that is no report of mobisdk's")
    assert log.read_bytes() == before


def test_report_wants_a_file_in_a_folder_that_is_there(log: Path, tmp_path: Path) -> None:
    for target, reason in (
        (tmp_path, "--html names a folder"),
        (tmp_path / "missing" / "report.html", "--html names a file in a folder that is not there"),
    ):
        status, out, err = run(log, "--html", target)
        assert (status, out) == (1, "")
        assert err.startswith(f"Error: {reason}")
    assert [path.name for path in tmp_path.iterdir()] == ["runs.jsonl"]


def test_two_accuracies_that_disagree_are_named_and_nothing_is_written(log: Path, tmp_path: Path) -> None:
    one, two = evaluation(tmp_path / "one.json"), evaluation(tmp_path / "two.json", accuracy=0.96)
    status, out, err = run(log, "--html", tmp_path / "report.html", "--accuracy", one, "--accuracy", two)
    assert (status, out) == (1, "")
    assert f"Error: '{one}' and '{two}' disagree" in err
    assert not (tmp_path / "report.html").exists()


def test_accuracy_of_a_variant_without_latency_is_told(log: Path, tmp_path: Path) -> None:
    other = evaluation(tmp_path / "other.json", variant_id="cd" * 32)
    status, _, err = run(log, "--html", tmp_path / "report.html", "--accuracy", other)
    assert status == 0
    assert "1 of 1 accuracies are of variants that these logs have no latency of" in err


def test_accuracy_without_a_report_is_a_usage_error(log: Path, tmp_path: Path) -> None:
    status, out, err = run(log, "--accuracy", evaluation(tmp_path / "accuracy.json"))
    assert (status, out) == (2, "")
    assert "--html" in err


def test_report_when_written_has_imported_no_toolchain(log: Path, tmp_path: Path) -> None:
    program = f"""
import sys
from mobisdk.cli import main
sys.argv = ["mobisdk", "analyze", {str(log)!r}, "--html", {str(tmp_path / "report.html")!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end
heavy = {{"torch", "executorch", "coremltools", "torchao", "lightning", "sklearn", "pandas"}} & set(sys.modules)
sys.exit(str(heavy) if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
