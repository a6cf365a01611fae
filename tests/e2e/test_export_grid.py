"""A grid of bundles: made in parallel, found again, and compared with the networks that they were made from."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mobisdk.cli.app import app

GRID = ["--target", "ios", "--alpha", "0.25,0.5", "--resolution", "32", "--num-classes", "10"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grid")
    result = run("export", *GRID, "--output", str(folder), "--json")
    assert result.exit_code == 0, result.stderr
    assert [entry["alpha"] for entry in json.loads(result.stdout)] == [0.25, 0.5]
    return folder


def created(folder: Path) -> dict[str, Any]:
    return {
        path.parent.name: json.loads(path.read_text())["created_at"] for path in sorted(folder.glob("*/manifest.json"))
    }


def test_export_when_repeated_then_nothing_is_made_again(exported: Path) -> None:
    before = {path: path.stat().st_ino for path in exported.rglob("*")}
    result = run("export", *GRID, "--output", str(exported), "--json")
    assert result.exit_code == 0
    assert "2 of 2 bundles are there already" in result.stderr
    assert {path: path.stat().st_ino for path in exported.rglob("*")} == before
    assert len(json.loads(result.stdout)) == 2


def test_export_when_the_grid_grows_then_only_what_is_new_is_made(exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundles"
    shutil.copytree(exported, folder)
    result = run("export", *GRID, "--recipe", "coreml_fp16,coreml_fp32", "--output", str(folder), "--json")
    assert result.exit_code == 0, result.stderr
    assert "2 of 4 bundles are there already" in result.stderr
    names = [(entry["alpha"], entry["recipe"]) for entry in json.loads(result.stdout)]
    assert names == [(0.25, "coreml_fp16"), (0.25, "coreml_fp32"), (0.5, "coreml_fp16"), (0.5, "coreml_fp32")]


def test_export_when_two_run_at_once_into_one_folder_then_both_end_well_with_one_bundle(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mobisdk", "export", "--target", "ios", "--alpha", "0.25", "--resolution", "32"]
    folder = tmp_path / "bundles"
    running = [
        subprocess.Popen(
            [*command, "--num-classes", "10", "--output", str(folder), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    first, second = (json.loads(stdout)[0] for stdout, _ in said)
    assert first["bundle_id"] == second["bundle_id"]
    assert [path.name for path in folder.iterdir()] == [Path(first["path"]).name]


def test_export_when_a_bundle_that_is_there_is_damaged_then_says_so(exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundles"
    shutil.copytree(exported, folder)
    damaged = next(folder.glob("*a0.25*"))
    content = bytearray((damaged / "golden_output.f32").read_bytes())
    content[0] ^= 1
    (damaged / "golden_output.f32").write_bytes(content)
    result = run("export", *GRID, "--output", str(folder))
    assert result.exit_code == 1
    assert "golden_output.f32 is damaged" in result.stderr


def test_export_when_too_little_is_delegated_then_refused_and_nothing_is_written(tmp_path: Path) -> None:
    arguments = ["--target", "ios", "--alpha", "0.25", "--resolution", "32", "--min-delegated", "1.01"]
    result = run("export", *arguments, "--output", str(tmp_path / "bundles"))
    assert result.exit_code == 1
    assert "coreml takes too little of the network" in result.stderr
    assert list((tmp_path / "bundles").glob("*")) == []


def test_verify_when_images_are_named_then_the_artefact_is_compared_with_its_network(exported: Path) -> None:
    bundle = next(exported.glob("*a0.25*"))
    result = run("verify", str(bundle), "--images", "digits", "--limit", "30", "--json")
    assert result.exit_code == 0, result.stderr
    (document,) = json.loads(result.stdout)["bundles"]
    figures = document["checks"][-1]["figures"]
    assert document["checks"][-1]["name"] == "network"
    assert figures["images"] == 30
    assert figures["relative_error"] < 0.1
    assert figures["sqnr_db"] > 20
    assert figures["artefact_top1"] == pytest.approx(figures["network_top1"], abs=1 / 30)  # of ten classes, by chance


def test_verify_when_the_checkpoint_is_another_networks_then_one_line(exported: Path, tmp_path: Path) -> None:
    from mobisdk.cli.networks import create_untrained_network
    from mobisdk.models.checkpoint import Checkpoint, save_checkpoint
    from mobisdk.specs import ModelSpec

    network = create_untrained_network(ModelSpec(alpha=0.25, resolution=32, num_classes=10))
    state = network.module.state_dict()
    state["classifier.bias"] = state["classifier.bias"] + 1
    path = tmp_path / "other.safetensors"
    save_checkpoint(path, Checkpoint(network.spec, network.input, tuple("0123456789")), state)
    result = run("verify", str(next(exported.glob("*a0.25*"))), "--images", "digits", "--checkpoint", str(path))
    assert result.exit_code == 1
    assert "was made from other weights than these" in result.stderr
