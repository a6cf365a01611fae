"""`mobisdk train` as a person meets it: what it says, what stops it, and what it leaves then."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.models.checkpoint import read_checkpoint_spec
from mobisdk.training import read_run

# A network for the digits that takes half a second an epoch.
SHORT = ("--alpha", "0.1", "--stem-stride", "2", "--batch-size", "256", "--name", "short")
CHECKPOINTS = ("last.safetensors", "state.safetensors")


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def stop_in_third_epoch(folder: Path, sent: signal.Signals) -> tuple[int, str, list[str]]:
    """Start a training of six epochs in `folder` and send a signal; the exit status, stdout and stderr."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mobisdk", "train", *SHORT, "--epochs", "6"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:  # a line an epoch, since this is no terminal
        lines.append(line)
        if line.startswith("Epoch 2/6"):
            process.send_signal(sent)
            break
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, "".join([*lines, stderr]).splitlines()


def check_whole(folder: Path) -> None:
    assert 2 <= len(read_run(folder).metrics) < 6
    assert read_checkpoint_spec(folder / "last.safetensors").origin["epoch"] >= 2
    assert {path.name for path in folder.iterdir()} == {"spec.json", "metrics.jsonl", *CHECKPOINTS}


def test_train_when_ctrl_c_is_pressed_then_the_checkpoint_is_whole_and_resume_goes_on(tmp_path: Path) -> None:
    status, stdout, stderr = stop_in_third_epoch(tmp_path, signal.SIGINT)

    assert status == 130
    assert stdout == ""
    # Not a word of Lightning's.
    first, *lines = [line for line in stderr if not line.startswith("About")]
    assert first == (
        "short: mobilenet_v1-a0.1-r32 on 1,438 images of 10 classes, 359 held out; 6 epochs of sgd, "
        "learning rate up to 0.4 (sgd's usual one for batches of 256), float32 on cpu."
    )
    epochs = [line for line in lines if line.startswith("Epoch")]
    assert [line.split(":")[0] for line in epochs[:2]] == ["Epoch 1/6", "Epoch 2/6"]
    assert "% waiting for data, " in epochs[0]
    assert lines[len(epochs) :] == [
        "Go on with: mobisdk train --resume short --runs runs",
        "Stopped; nothing was left half-written.",
    ]
    folder = tmp_path / "runs" / "short"
    check_whole(folder)

    resumed = run("train", "--resume", "short", "--runs", tmp_path / "runs")

    assert resumed.exit_code == 0, resumed.stderr
    assert "of 359 held-out images right (95 % interval" in resumed.stdout
    assert resumed.stdout.splitlines()[-1] == str(folder / "last.safetensors")
    assert "Epoch 2/6" not in resumed.stderr
    assert resumed.stderr.splitlines()[-1].startswith("Next: mobisdk export --target android --checkpoint ")
    assert [line["epoch"] for line in read_run(folder).metrics] == [1, 2, 3, 4, 5, 6]


def test_train_when_told_to_terminate_then_the_checkpoint_is_whole(tmp_path: Path) -> None:
    status, stdout, stderr = stop_in_third_epoch(tmp_path, signal.SIGTERM)

    assert status == 143
    assert stdout == ""
    assert not [line for line in stderr if not line.startswith(("short: ", "Epoch", "About"))]
    check_whole(tmp_path / "runs" / "short")


def test_train_when_json_is_asked_for_then_one_document_on_stdout(tmp_path: Path) -> None:
    result = run("train", *SHORT, "--epochs", "1", "--runs", tmp_path, "--json")

    document = json.loads(result.stdout)
    assert (document["tested"], document["epochs"], document["model"]["alpha"]) == (359, 1, 0.1)
    assert document["accuracy"] == document["correct"] / 359
    assert document["accuracy_interval"][0] <= document["accuracy"] <= document["accuracy_interval"][1]
    assert Path(document["checkpoint"]).exists()


def test_train_fine_tunes_a_checkpoint_and_resume_names_every_difference(tmp_path: Path) -> None:
    runs = ("--runs", tmp_path)
    assert run("train", *SHORT, "--epochs", "1", *runs).exit_code == 0
    checkpoint = tmp_path / "short" / "last.safetensors"

    tuned = run("train", "--checkpoint", checkpoint, "--freeze", "--epochs", "1", "--name", "tuned", *runs, "--json")

    assert tuned.exit_code == 0, tuned.stderr
    assert read_run(tmp_path / "tuned").plan.freeze
    assert json.loads(tuned.stdout)["model"]["alpha"] == 0.1
    resumed = run("train", "--resume", "tuned", "--alpha", "0.5", "--epochs", "1", "--lr", "0.3", *runs)
    assert resumed.exit_code == 1
    assert "alpha is 0.1, not 0.5" in resumed.stderr
    assert "learning_rate is 0.01, not 0.3" in resumed.stderr
    assert "epochs is" not in resumed.stderr
    other = run("train", "--checkpoint", checkpoint, "--alpha", "0.5", *runs)
    assert other.exit_code == 1
    assert "alpha is 0.1, not 0.5" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--data", "nowhere"], "no such data"),
        (["--alpha", "0"], "alpha"),
        (["--resolution", "31"], "resolution"),
        (["--optimizer", "adam"], "sgd, rmsprop, adamw"),
        (["--lr", "nan"], "learning_rate"),
        (["--epochs", "0"], "epochs"),
        (["--resume", "nothing"], "no such run"),
        (["--name", "a/b"], "name"),
        (["--preset", "quick"], "fast, paper, strong"),
        (["--budget", "soon"], "20m"),
        (["--budget", "2s"], "too short for one epoch"),
        (["--freeze"], "cannot be frozen"),
        (["--precision", "int8"], "float32, bfloat16"),
        (["--device", "tpu"], "cpu, cuda"),
        (["--weights", "nowhere.safetensors"], "no weights here"),
    ],
)
def test_train_when_an_option_is_wrong_then_one_line_and_nothing_written(
    tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    result = run("train", *arguments, "--runs", tmp_path / "runs")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert complaint in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()
