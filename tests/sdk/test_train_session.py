"""Whole trainings: on digits as a user starts them, and on two shades of grey where only the machinery matters."""

import errno
import itertools
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from mobisdk.accuracy import wilson_interval
from mobisdk.data import decode_images, open_dataset
from mobisdk.data.batches import HeldOutBatches
from mobisdk.errors import ConfigError, DataError
from mobisdk.models.checkpoint import load_model
from mobisdk.specs import InputSpec, ModelSpec
from mobisdk.training import TrainedRun, TrainProgress, TrainSpec, read_run, resume, train

pytestmark = pytest.mark.usefixtures("one_thread")
TINY = ModelSpec(alpha=0.1, resolution=32, num_classes=2)


def stop_at(epoch: int, step: int) -> Any:
    """Ctrl-C as Python sees it, at one step."""

    def on_progress(now: TrainProgress) -> None:
        if (now.epoch, now.step, now.epoch_done) == (epoch, step, False):
            raise KeyboardInterrupt

    return on_progress


def train_greys(greys: Path, runs: Path, **settings: Any) -> TrainedRun:
    on_progress = settings.pop("on_progress", None)
    usual = {"epochs": 4, "batch_size": 8, "ema_decay": 0.9}
    spec = TrainSpec(TINY, data=str(greys), **{**usual, **settings})
    return train(spec, runs=runs, name="greys", on_progress=on_progress)


def test_digits_when_trained_by_the_defaults_then_95_percent_of_held_out_scans_are_right(tmp_path: Path) -> None:
    seen: list[TrainProgress] = []
    generator_before = torch.random.get_rng_state()

    run = train(
        TrainSpec(ModelSpec(alpha=0.25, resolution=32, num_classes=10, stem_stride=1)),
        runs=tmp_path,
        on_progress=seen.append,
    )

    assert run.accuracy >= 0.95
    assert run.accuracy_interval == wilson_interval(run.correct, run.tested)
    # The file itself, in a network of its own, names as many of the held-out scans right.
    checkpoint, model = load_model(run.checkpoint)
    images = decode_images(open_dataset("digits").test, checkpoint.input, cache=tmp_path)
    with torch.inference_mode():
        batches = HeldOutBatches(images, checkpoint.input, batch_size=100)
        correct = sum(int((model(batch.images).argmax(1) == batch.labels).sum()) for batch in batches)
    assert (correct, len(images.labels)) == (run.correct, run.tested)
    assert checkpoint.labels == tuple("0123456789")
    assert checkpoint.input == InputSpec(resize=32, crop=32)
    assert checkpoint.metrics["accuracy"] == run.accuracy

    epochs = [now for now in seen if now.epoch_done]
    assert [now.epoch for now in epochs] == list(range(1, run.epochs + 1))
    assert len(seen) == run.epochs * (epochs[0].steps + 1)
    assert epochs[-1].seconds_left == 0
    assert epochs[-1].loss < 0.5 < epochs[0].loss
    assert np.median([now.data_wait_share for now in epochs]) <= 0.05
    assert torch.equal(torch.random.get_rng_state(), generator_before)


def test_train_leaves_a_folder_that_says_everything(greys: Path, tmp_path: Path) -> None:
    run = train_greys(greys, tmp_path / "runs", epochs=2)

    names = {path.name for path in run.folder.iterdir()}
    assert names == {"spec.json", "metrics.jsonl", "last.safetensors", "state.safetensors"}
    document = json.loads((run.folder / "spec.json").read_text(encoding="utf-8"))
    assert document["schema"] == "mobisdk.run/1"
    assert document["plan"]["model"] == {**vars(TINY)}
    assert document["data"]["classes"] == ["bright", "dark"]
    assert (document["data"]["train_images"], document["data"]["test_images"]) == (32, 8)
    assert document["versions"]["torch"] == torch.__version__
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["epoch"], line["step"]) for line in lines] == [(1, 4), (2, 8)]
    assert lines[-1]["correct"] == run.correct


@pytest.mark.parametrize(
    ("optimizer", "precision"), [("sgd", "bfloat16"), ("rmsprop", "float32"), ("adamw", "float32")]
)
def test_resume_when_interrupted_then_the_weights_are_those_of_an_uninterrupted_run(
    greys: Path, tmp_path: Path, optimizer: str, precision: str
) -> None:
    settings = {"optimizer": optimizer, "precision": precision, "learning_rate": 0.005}
    straight = train_greys(greys, tmp_path / "straight", **settings)
    with pytest.raises(KeyboardInterrupt):
        train_greys(greys, tmp_path / "stopped", **settings, on_progress=stop_at(epoch=3, step=2))
    stopped = tmp_path / "stopped" / "greys"
    assert len(read_run(stopped).metrics) == 2
    assert load_model(stopped / "last.safetensors")[0].origin["epoch"] == 2

    resumed = resume(stopped)

    assert resumed.checkpoint.read_bytes() == straight.checkpoint.read_bytes()
    states = [safetensors.torch.load_file(run.folder / "state.safetensors") for run in (straight, resumed)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert [line["epoch"] for line in read_run(stopped).metrics] == [1, 2, 3, 4]
    assert resumed.correct == straight.correct


@pytest.mark.parametrize(("epoch", "step"), [(1, 1), (2, 3), (3, 4)])
def test_train_when_told_to_terminate_then_it_stops_after_the_step_and_goes_on_from_there(
    greys: Path, tmp_path: Path, epoch: int, step: int
) -> None:
    def tell(now: TrainProgress) -> None:
        if (now.epoch, now.step, now.epoch_done) == (epoch, step, False):
            os.kill(os.getpid(), signal.SIGTERM)

    handler = signal.getsignal(signal.SIGTERM)
    straight = train_greys(greys, tmp_path / "straight")
    with pytest.raises(SystemExit) as left:
        train_greys(greys, tmp_path / "stopped", on_progress=tell)
    assert left.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is handler
    seen: list[TrainProgress] = []

    resumed = resume(tmp_path / "stopped" / "greys", on_progress=seen.append)

    # Behind the last of an epoch's four steps its test comes first, and is kept.
    assert (seen[0].epoch, seen[0].step) == ((epoch, step + 1) if step < 4 else (epoch + 1, 1))
    assert resumed.checkpoint.read_bytes() == straight.checkpoint.read_bytes()
    losses = [[line["loss"] for line in read_run(run.folder).metrics] for run in (straight, resumed)]
    assert losses[0] == losses[1]


def test_train_when_the_disk_is_full_then_the_last_good_checkpoint_stays_and_resume_goes_on(
    greys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = train_greys(greys, tmp_path / "straight")
    synced: list[int] = []
    sync = os.fsync

    def full(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) > 16:  # two epochs' files are written
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            train_greys(greys, tmp_path / "stopped")
    folder = tmp_path / "stopped" / "greys"

    assert load_model(folder / "last.safetensors")[0].origin["epoch"] >= 2
    assert not list(folder.glob(".mobisdk-partial*"))
    assert resume(folder).checkpoint.read_bytes() == straight.checkpoint.read_bytes()


def test_resume_when_no_epoch_was_whole_then_it_starts_as_it_would_have(greys: Path, tmp_path: Path) -> None:
    straight = train_greys(greys, tmp_path / "straight", epochs=1)
    with pytest.raises(KeyboardInterrupt):
        train_greys(greys, tmp_path / "stopped", epochs=1, on_progress=stop_at(epoch=1, step=1))
    stopped = tmp_path / "stopped" / "greys"
    assert [path.name for path in stopped.iterdir()] == ["spec.json"]

    assert resume(stopped).checkpoint.read_bytes() == straight.checkpoint.read_bytes()


def test_train_when_the_seed_is_another_then_the_weights_are(greys: Path, tmp_path: Path) -> None:
    first, same, other = (
        train_greys(greys, tmp_path / name, epochs=1, seed=seed).checkpoint.read_bytes()
        for name, seed in (("first", 1), ("same", 1), ("other", 2))
    )

    assert first == same
    assert first != other


@pytest.mark.parametrize(
    ("batch_size", "what", "more"),
    # One step an epoch: the weights are looked at before another loss could tell.
    [(6, "the loss is (nan|inf)", 1), (32, "weights are NaN or infinite", 27)],
)
def test_train_when_numbers_overflow_then_config_error_names_step_and_images(
    greys: Path, tmp_path: Path, batch_size: int, what: str, more: int
) -> None:
    with pytest.raises(
        ConfigError, match=rf"{what} at step \d+, epoch \d+, on .*\.png.* and {more} more.*--lr"
    ) as caught:
        train_greys(greys, tmp_path / "runs", learning_rate=100.0, epochs=60, batch_size=batch_size)

    assert str(greys) in str(caught.value)


def test_train_when_images_are_broken_then_error_or_count(greys: Path, tmp_path: Path) -> None:
    (greys / "dark" / "cut.png").write_bytes((greys / "dark" / "0.png").read_bytes()[:100])

    with pytest.raises(DataError, match=r"cut\.png"):
        train_greys(greys, tmp_path / "runs", epochs=1)
    assert not (tmp_path / "runs").exists()

    run = train_greys(greys, tmp_path / "runs", epochs=1, skip_broken=True)
    assert read_run(run.folder).data["broken"] == [str(greys / "dark" / "cut.png")]


def test_train_when_every_image_of_a_class_is_broken_then_data_error_names_the_class(
    greys: Path, tmp_path: Path
) -> None:
    for path in (greys / "dark").iterdir():
        path.write_bytes(f"no image {path.name}".encode())

    with pytest.raises(DataError, match=r"no image to train with.*dark"):
        train_greys(greys, tmp_path / "runs", skip_broken=True)


def test_train_when_the_network_cannot_be_built_then_nothing_is_written(greys: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mobilenet_v1"):
        train(TrainSpec(ModelSpec(arch="mobilenet_v9"), data=str(greys)), runs=tmp_path / "runs")

    assert not (tmp_path / "runs").exists()


def test_train_when_the_name_is_taken_or_no_folders_then_config_error(greys: Path, tmp_path: Path) -> None:
    train_greys(greys, tmp_path / "runs", epochs=1)

    with pytest.raises(ConfigError, match=r"a run of this name.*--resume greys"):
        train_greys(greys, tmp_path / "runs", epochs=1)
    for name in ("../elsewhere", "", ".hidden", "a/b"):
        with pytest.raises(ConfigError, match="name"):
            train(TrainSpec(TINY, data=str(greys)), runs=tmp_path / "runs", name=name)


def test_train_when_no_name_is_given_then_it_makes_one(greys: Path, tmp_path: Path) -> None:
    spec = TrainSpec(TINY, data=str(greys), epochs=1)

    names = [train(spec, runs=tmp_path / "runs").folder.name for _ in range(2)]

    assert names == ["mobilenet_v1-a0.1-r32-greys", "mobilenet_v1-a0.1-r32-greys-2"]


def test_resume_when_there_is_no_run_then_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such run"):
        resume(tmp_path / "nothing")


def test_resume_when_the_run_is_finished_then_config_error(greys: Path, tmp_path: Path) -> None:
    run = train_greys(greys, tmp_path / "runs", epochs=1)

    with pytest.raises(ConfigError, match="finished"):
        resume(run.folder)


def test_resume_when_the_data_has_changed_then_data_error(greys: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_greys(greys, tmp_path / "runs", on_progress=stop_at(epoch=1, step=1))
    (greys / "dark" / "0.png").unlink()

    with pytest.raises(DataError, match=r"data has changed.*greys"):
        resume(tmp_path / "runs" / "greys")


def test_resume_when_the_state_is_damaged_then_data_error_and_the_checkpoint_stays(greys: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_greys(greys, tmp_path / "runs", on_progress=stop_at(epoch=2, step=1))
    folder = tmp_path / "runs" / "greys"
    os.truncate(folder / "state.safetensors", 1000)

    with pytest.raises(DataError, match="state cannot be read"):
        resume(folder)

    assert load_model(folder / "last.safetensors")[0].origin["epoch"] == 1


def test_train_says_what_it_decodes_and_what_it_starts(greys: Path, tmp_path: Path) -> None:
    decoded: list[tuple[int, int]] = []
    started: list[str] = []

    train(
        TrainSpec(TINY, data=str(greys), epochs=1),
        runs=tmp_path / "runs",
        name="said",
        on_decoded=lambda done, total: decoded.append((done, total)),
        on_start=lambda run: started.append(run.name),
    )

    assert decoded == list(zip(range(1, 41), itertools.repeat(40), strict=False))
    assert started == ["said"]
