"""`mobisdk bench` as a person types it, over a small network that ExecuTorch really runs."""

import json
import resource
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from mobisdk.bundle import Bundle, pack_bundle, write_bundle
from mobisdk.cli.app import app
from mobisdk.latency.log import parse_run
from mobisdk.latency.record import LatencyRun
from mobisdk.specs import InputSpec


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    import torch
    from torch import nn

    from mobiconvert import WeightsOrigin, convert, find_recipe

    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.AvgPool2d(15), nn.Flatten(), nn.Linear(4, 3))
    return convert(
        network,
        InputSpec(resize=36, crop=32),
        find_recipe("xnnpack_fp32", "android"),
        tmp_path_factory.mktemp("bundles"),
        weights=WeightsOrigin("random", "seed 0"),
    )


def variation(bundle: Bundle, parent: Path, golden_shift: float = 0.0, **target: Any) -> Bundle:
    """The same artefact as another bundle: of another variant, runtime or golden output."""
    content = parent / "content"
    shutil.copytree(bundle.path, content)
    (content / "manifest.json").unlink()
    (content / "golden_output.f32").write_bytes((bundle.golden_output() + np.float32(golden_shift)).tobytes())
    manifest = bundle.manifest | {"variant_id": "0" * 64, "target": bundle.manifest["target"] | target}
    return write_bundle(content, manifest, parent)


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["bench", *map(str, arguments)])


def read_runs(log: Path) -> list[LatencyRun]:
    return [parse_run(line) for line in log.read_bytes().splitlines()]


def test_bench_writes_cold_starts_and_interleaved_runs(bundle: Bundle, tmp_path: Path) -> None:
    log = tmp_path / "latency.jsonl"
    other = variation(bundle, tmp_path)

    result = bench(
        *(bundle.path, other.path, "--log", log, "--cold-starts", 1, "--runs", 2, "--samples", 3, "--threads", 1),
        "--json",
    )

    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["log"] == str(log)
    assert document["runs"] == 6
    runs = read_runs(log)
    a, b = bundle.manifest["bundle_id"], other.manifest["bundle_id"]
    assert [run.bundle.bundle_id for run in runs] == [a, b, a, b, b, a]
    assert [run.mode for run in runs] == ["cold"] * 2 + ["burst"] * 4
    assert [run.run_index for run in runs] == list(range(6))
    assert {len(run.inference_ns) for run in runs[2:]} == {3}
    assert {run.runtime.threads for run in runs} == {1}
    assert len({run.session_id for run in runs}) == 1
    assert len({run.process_id for run in runs}) == 3  # each cold start had its own
    assert all(run.golden is not None and run.golden.passed for run in runs)


def test_bench_adds_to_a_log_and_reads_a_zip(bundle: Bundle, tmp_path: Path) -> None:
    log, zipped = tmp_path / "latency.jsonl", tmp_path / "bundle.zip"
    pack_bundle(bundle, zipped)
    options = ("--log", log, "--cold-starts", 0, "--runs", 1, "--samples", 2, "--threads", 1)

    first, second = bench(bundle.path, *options), bench(zipped, *options)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert len(read_runs(log)) == 2
    assert "p50" in second.stdout
    assert f"Next: mobisdk analyze {log}" in second.stderr


def test_sustained_mode_runs_by_the_clock(bundle: Bundle, tmp_path: Path) -> None:
    log = tmp_path / "latency.jsonl"

    result = bench(bundle.path, "--log", log, "--cold-starts", 0, "--mode", "sustained", "--seconds", 0.2)

    assert result.exit_code == 0, result.stderr
    (run,) = read_runs(log)
    assert run.mode == "sustained"
    lasted = run.sample_at_ns[-1] + run.preprocess_ns[-1] + run.inference_ns[-1] + run.postprocess_ns[-1]
    assert lasted >= 0.2e9 > run.sample_at_ns[-1]


def test_cold_mode_is_one_start_of_this_process(bundle: Bundle, tmp_path: Path) -> None:
    log = tmp_path / "latency.jsonl"

    assert bench(bundle.path, "--log", log, "--mode", "cold").exit_code == 0
    (run,) = read_runs(log)
    assert (run.mode, len(run.inference_ns)) == ("cold", 0)

    result = bench(bundle.path, bundle.path, "--log", log, "--mode", "cold")
    assert result.exit_code == 1
    assert "loads one bundle" in result.stderr


def test_wrong_golden_measures_nothing(bundle: Bundle, tmp_path: Path) -> None:
    wrong = variation(bundle, tmp_path, golden_shift=0.5)
    log = tmp_path / "latency.jsonl"

    result = bench(bundle.path, wrong.path, "--log", log)

    assert result.exit_code == 1
    assert "got 0.5; allowed: at most" in result.stderr
    assert not log.exists()


def test_core_ml_bundle_is_sent_to_a_phone(bundle: Bundle, tmp_path: Path) -> None:
    apple = variation(bundle, tmp_path, runtime="coreml", platform="ios")

    result = bench(apple.path, "--log", tmp_path / "latency.jsonl")

    assert result.exit_code == 1
    assert "iPhone or a Mac" in result.stderr
    assert f"mobisdk verify {apple.path}" in result.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--samples", "0"], "samples must be a whole number, got 0"),
        (["--runs", "-1"], "runs must be a whole number, got -1"),
        (["--threads", "0"], "threads must be a whole number, got 0"),
        (["--cold-starts", "-1"], "cold_starts must be a whole number, got -1"),
        (["--seconds", "nan", "--mode", "sustained"], "seconds must be a number, got nan"),
    ],
)
def test_settings_out_of_range_are_refused(options: list[str], sentence: str, tmp_path: Path) -> None:
    result = bench(tmp_path, *options)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {sentence}")
    assert result.stderr.count("\n") == 1


def test_unknown_mode_is_a_usage_error(tmp_path: Path) -> None:
    assert bench(tmp_path, "--mode", "quick").exit_code == 2


@pytest.mark.parametrize(
    ("log", "reason"),
    [("", "Is a directory"), ("missing/latency.jsonl", "No such file"), ("file/latency.jsonl", "Not a directory")],
)
def test_log_that_cannot_be_written_is_refused_first(log: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    result = bench(tmp_path / "no-bundle", "--log", tmp_path / log)

    assert result.exit_code == 1
    assert f"--log cannot be written: {reason}" in result.stderr


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is a folder where nobody makes a file")
def test_log_in_a_read_only_folder_is_refused_first(tmp_path: Path) -> None:
    result = bench(tmp_path / "no-bundle", "--log", "/proc/latency.jsonl")

    assert result.exit_code == 1
    assert "--log cannot be written" in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on a file's size stands in for a full disk")
def test_disk_full_keeps_the_runs_before(bundle: Bundle, tmp_path: Path) -> None:
    log = tmp_path / "latency.jsonl"
    options = ("--log", log, "--cold-starts", 0, "--runs", 1, "--samples", 2, "--threads", 1)
    assert bench(bundle.path, *options).exit_code == 0
    log.write_bytes(log.read_bytes() * 1000)  # so large that the limit touches no other file
    before = log.stat().st_size

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (before + 100, hard))
    try:
        result = bench(bundle.path, *options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert result.exit_code == 1
    assert "a run cannot be written: File too large" in result.stderr
    assert log.stat().st_size == before


def test_ctrl_c_leaves_whole_runs(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mobiconvert

    log = tmp_path / "latency.jsonl"
    opened: list[Bundle] = []
    load_classifier = mobiconvert.load_classifier

    def load_or_interrupt(bundle: Bundle) -> Any:
        opened.append(bundle)
        if len(opened) == 4:  # the golden check and two runs came before
            signal.raise_signal(signal.SIGINT)
        return load_classifier(bundle)

    monkeypatch.setattr(mobiconvert, "load_classifier", load_or_interrupt)
    result = bench(bundle.path, "--log", log, "--cold-starts", 0, "--samples", 2, "--threads", 1)

    assert result.exit_code == 130
    assert f"2 whole runs went into {log}" in result.stderr
    assert len(read_runs(log)) == 2
