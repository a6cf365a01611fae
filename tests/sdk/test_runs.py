"""What `runs/` says, read without torch."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.cli.runs import runs_app
from mobisdk.errors import DataError
from mobisdk.specs import InputSpec, ModelSpec
from mobisdk.training import list_runs, newest_checkpoint, read_run
from mobisdk.training.plan import TrainingPlan

QUARTER = ModelSpec(alpha=0.25, resolution=32, num_classes=10, stem_stride=1)
HALF = ModelSpec(alpha=0.5, resolution=32, num_classes=10)


def write_run(runs: Path, name: str, model: ModelSpec, day: int, *, epochs_done: int = 2) -> Path:
    """A run as `train` leaves it, with bytes for a checkpoint."""
    folder = runs / name
    folder.mkdir(parents=True)
    plan = TrainingPlan(
        model=model,
        input=InputSpec(32, 32),
        data="digits",
        epochs=2,
        batch_size=64,
        optimizer="sgd",
        schedule="one_cycle",
        learning_rate=0.1,
        warmup=0.2,
        weight_decay=1e-4,
        label_smoothing=0.025,
        padding=1,
        flip=False,
        ema_decay=0.0,
        seed=0,
        skip_broken=False,
    )
    data = {"source": "digits", "sha256": "ab", "classes": ["0", "1"], "train_images": 1438, "test_images": 359}
    document = {
        "schema": "mobisdk.run/1",
        "started_at": f"2026-01-{day:02}T10:00:00.000Z",
        "plan": dataclasses.asdict(plan),
        "data": {**data, "duplicates": 0, "ignored": 0, "broken": ["cut.png"]},
        "versions": {"torch": "2.13.0"},
    }
    (folder / "spec.json").write_text(json.dumps(document), encoding="utf-8")
    lines = [
        {
            "epoch": epoch,
            "step": 22 * epoch,
            "loss": 1 / epoch,
            "learning_rate": 0.1,
            "correct": 350,
            "tested": 359,
            "accuracy": 350 / 359,
            "accuracy_interval": [0.953, 0.987],
            "images_per_second": 1234.5,
            "data_wait_share": 0.012,
            "seconds": 1.5,
            "finished_at": f"2026-01-{day:02}T10:0{epoch}:00.000Z",
        }
        for epoch in range(1, epochs_done + 1)
    ]
    if lines:
        (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        (folder / "last.safetensors").write_bytes(b"weights")
    return folder


def show(*arguments: object) -> str:
    result = CliRunner().invoke(runs_app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list_runs_has_the_newest_last_and_passes_over_what_is_no_run(tmp_path: Path) -> None:
    write_run(tmp_path, "younger", QUARTER, day=9)
    write_run(tmp_path, "older", QUARTER, day=3)
    write_run(tmp_path, "begun", QUARTER, day=5, epochs_done=0)
    (tmp_path / ".cache" / "abc").mkdir(parents=True)
    (tmp_path / "notes").mkdir()

    runs = list_runs(tmp_path)

    assert [run.name for run in runs] == ["older", "begun", "younger"]
    assert [run.updated_at for run in runs][1:] == ["2026-01-05T10:00:00.000Z", "2026-01-09T10:02:00.000Z"]
    assert [run.checkpoint is None for run in runs] == [False, True, False]
    assert runs[0].plan.model == QUARTER


def test_list_runs_when_there_is_no_folder_then_there_are_none(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "nowhere") == ()


def test_newest_checkpoint_is_of_the_same_network_and_whole(tmp_path: Path) -> None:
    write_run(tmp_path, "first", QUARTER, day=1)
    second = write_run(tmp_path, "second", QUARTER, day=2)
    write_run(tmp_path, "wider", HALF, day=3)
    write_run(tmp_path, "begun", QUARTER, day=4, epochs_done=0)

    # Who exports does not repeat classes and stem.
    assert newest_checkpoint(tmp_path, ModelSpec(alpha=0.25, resolution=32)) == second / "last.safetensors"
    assert newest_checkpoint(tmp_path, ModelSpec(alpha=0.75, resolution=32)) is None
    assert newest_checkpoint(tmp_path / "nowhere", QUARTER) is None


@pytest.mark.parametrize(
    "change", [{"schema": "mobisdk.run/2"}, {"plan": {}}, {"data": None, "started_at": None, "plan": None}]
)
def test_read_run_when_it_is_not_as_written_then_data_error_names_the_file(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    path = write_run(tmp_path, "run", QUARTER, day=1) / "spec.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    with pytest.raises(DataError, match=r"another schema|damaged.*spec\.json"):
        read_run(tmp_path / "run")


def test_read_run_when_a_line_is_cut_then_data_error(tmp_path: Path) -> None:
    path = write_run(tmp_path, "run", QUARTER, day=1) / "metrics.jsonl"
    path.write_text(path.read_text()[:-20])

    with pytest.raises(DataError, match="damaged"):
        read_run(tmp_path / "run")


def test_runs_list_shows_each_run_and_json_the_same(tmp_path: Path) -> None:
    write_run(tmp_path, "digits-1", QUARTER, day=1)
    write_run(tmp_path, "digits-2", QUARTER, day=2, epochs_done=0)

    rows = [line.split() for line in show("list", "--runs", tmp_path).splitlines() if "digits" in line]
    document = json.loads(show("list", "--runs", tmp_path, "--json"))

    assert rows[0] == ["digits-1", "2/2", "97.5%", "95.3%", "to", "98.7%", "2026-01-01T10:02"]
    assert rows[1] == ["digits-2", "0/2", "–", "–", "2026-01-02T10:00"]
    assert [(run["name"], run["epochs_done"], run["accuracy"]) for run in document] == [
        ("digits-1", 2, 350 / 359),
        ("digits-2", 0, None),
    ]


def test_runs_show_has_settings_and_epochs(tmp_path: Path) -> None:
    write_run(tmp_path, "digits", QUARTER, day=1)

    shown = show("show", "digits", "--runs", tmp_path)
    document = json.loads(show("show", "digits", "--runs", tmp_path, "--json"))

    rows = [line.split() for line in shown.splitlines()]
    assert ["model.alpha", "0.25"] in rows
    assert ["broken", "cut.png"] in rows
    assert ["2", "0.1", "0.500", "97.5%", "1,234", "1.2%", "1.5"] in rows
    assert [line["epoch"] for line in document["metrics"]] == [1, 2]
    assert document["versions"] == {"torch": "2.13.0"}


def test_reading_runs_imports_neither_torch_nor_lightning(tmp_path: Path) -> None:
    write_run(tmp_path, "digits", QUARTER, day=1)
    script = (
        "import sys, pathlib; from mobisdk.training import newest_checkpoint; from mobisdk.specs import ModelSpec\n"
        f"found = newest_checkpoint(pathlib.Path({str(tmp_path)!r}), ModelSpec(alpha=0.25, resolution=32))\n"
        "print(found is not None, sorted({'torch', 'lightning', 'sklearn', 'pyarrow'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "True []\n"


def test_show_draws_the_curves_and_compare_names_what_differs(tmp_path: Path) -> None:
    write_run(tmp_path, "quarter", QUARTER, day=1)
    write_run(tmp_path, "half", HALF, day=2)

    shown = show("show", "quarter", "--runs", tmp_path)
    assert "Loss, epoch 1 to 2" in shown
    assert "1.000 ███" in shown
    table = show("compare", "quarter", "half", "--runs", tmp_path)
    assert "model.alpha" in table
    assert "learning_rate" not in table
    document = json.loads(show("compare", "quarter", "half", "--runs", tmp_path, "--json"))
    assert document["differing"] == {"model.alpha": ["0.25", "0.5"], "model.stem_stride": ["1", "2"]}
    assert [run["name"] for run in document["runs"]] == ["quarter", "half"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["compare", "quarter"], "compare takes several runs"),
        (["compare", "quarter", "quarter"], "compare takes several runs"),
        (["compare", "quarter", "nothing"], "no such run"),
        (["show", "quarter", "--html", "."], "--html names a folder"),
        (["show", "fresh", "--html", "page.html"], "no epoch of the run is whole yet"),
        (["show", "fresh", "--confusion"], "no epoch of the run is whole yet"),
    ],
)
def test_runs_when_asked_for_what_is_not_there_then_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], complaint: str
) -> None:
    write_run(tmp_path / "runs", "quarter", QUARTER, day=1)
    write_run(tmp_path / "runs", "fresh", HALF, day=2, epochs_done=0)
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(app, ["runs", *arguments])

    assert result.exit_code == 1
    assert complaint in result.stderr
    assert not (tmp_path / "page.html").exists()


def test_page_when_the_data_or_the_weights_are_gone_then_it_has_the_curves_and_says_why(tmp_path: Path) -> None:
    write_run(tmp_path, "quarter", QUARTER, day=1)  # its checkpoint is bytes

    result = CliRunner().invoke(
        app, ["runs", "show", "quarter", "--runs", str(tmp_path), "--html", str(tmp_path / "page.html")]
    )

    assert result.exit_code == 0, result.stderr
    assert "What it takes for what is not known here" in result.stderr
    assert "Epoch by epoch" in (tmp_path / "page.html").read_text(encoding="utf-8")
