"""Whole trainings with a teacher, on two shades of grey: what is kept, what is refused, and that resuming is exact."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from mobisdk.cli.resumed_settings import refuse_differences
from mobisdk.data import decode_images, open_dataset
from mobisdk.data.unlabelled import open_unlabelled
from mobisdk.errors import ConfigError, DataError
from mobisdk.models.checkpoint import Checkpoint, save_checkpoint
from mobisdk.models.untrained import create_untrained_model
from mobisdk.specs import InputSpec, ModelSpec
from mobisdk.training import TrainedRun, TrainProgress, TrainSpec, read_run, resume, train
from mobisdk.training.distillation_spec import DistillationSpec

pytestmark = pytest.mark.usefixtures("one_thread")
TINY = ModelSpec(alpha=0.1, resolution=32, num_classes=2)
TEACHER = ModelSpec(alpha=0.2, resolution=48, num_classes=2)


def save_greys(folder: Path, brightness: int, count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for index in range(count):
        pixels = (brightness + generator.integers(0, 50, (32, 32, 3))).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")


@pytest.fixture
def greys(tmp_path: Path) -> Path:
    """Ten dark and ten bright images of 32×32."""
    for seed, (name, brightness) in enumerate((("bright", 180), ("dark", 20))):
        save_greys(tmp_path / "greys" / name, brightness, 10, seed)
    return tmp_path / "greys"


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """A network with random weights, which is as good as any where only the machinery matters."""
    path = tmp_path / "teacher.safetensors"
    view = InputSpec(48, 48, (0.4, 0.4, 0.4))
    save_checkpoint(
        path, Checkpoint(TEACHER, view, ("dark", "bright")), create_untrained_model(TEACHER, seed=5).state_dict()
    )
    return path


def train_greys(greys: Path, teacher: Path, runs: Path, *, on_progress: Any = None, **settings: Any) -> TrainedRun:
    taught = {name: settings.pop(name) for name in ("unlabelled", "temperature", "mix") if name in settings}
    usual = {"epochs": 3, "batch_size": 4, "ema_decay": 0.0}
    distillation = DistillationSpec(str(teacher), **taught)
    spec = TrainSpec(TINY, data=str(greys), distillation=distillation, **{**usual, **settings})
    return train(spec, runs=runs, name="greys", on_progress=on_progress)


def stop_at(epoch: int, step: int) -> Any:
    def on_progress(now: TrainProgress) -> None:
        if (now.epoch, now.step, now.epoch_done) == (epoch, step, False):
            raise KeyboardInterrupt

    return on_progress


def one_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the plan leave images as they are."""
    import dataclasses

    from mobisdk.training import session

    plan_training = session.plan_training
    monkeypatch.setattr(
        session,
        "plan_training",
        lambda *arguments, **named: dataclasses.replace(plan_training(*arguments, **named), padding=0, flip=False),
    )


@pytest.mark.parametrize("kept", [False, True])
def test_resume_with_a_teacher_gives_the_weights_of_an_uninterrupted_run(
    greys: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    if kept:
        one_view(monkeypatch)
    save_greys(tmp_path / "more", 90, 4, seed=9)
    whole = train_greys(greys, teacher, tmp_path / "whole", unlabelled=str(tmp_path / "more"))

    with pytest.raises(KeyboardInterrupt):
        train_greys(
            greys, teacher, tmp_path / "cut", unlabelled=str(tmp_path / "more"), on_progress=stop_at(epoch=2, step=2)
        )
    resumed = resume(tmp_path / "cut" / "greys")

    before, after = (safetensors.torch.load_file(run.checkpoint) for run in (whole, resumed))
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]), name
    teaching = read_run(resumed.folder).teaching
    assert teaching is not None
    assert teaching["teacher"]["answers"] == ("kept" if kept else "at every step")
    assert teaching["unlabelled"]["images"] == 4
    assert read_run(resumed.folder).plan.distillation == DistillationSpec(
        str(teacher), unlabelled=str(tmp_path / "more")
    )
    monkeypatch.chdir(tmp_path)
    refuse_differences(
        read_run(resumed.folder), {}, {"distillation": DistillationSpec(teacher.name, unlabelled="more")}
    )
    with pytest.raises(ConfigError, match=r"distillation's temperature is 4, not 2; distillation's unlabelled is"):
        refuse_differences(read_run(resumed.folder), {}, {"distillation": DistillationSpec(teacher.name, 2.0)})


def test_kept_answers_are_the_teachers_own_of_each_image_as_it_expects_them(
    greys: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_view(monkeypatch)

    train_greys(greys, teacher, tmp_path / "runs", epochs=1)

    (path,) = (tmp_path / "runs" / ".cache").glob("answers-*.safetensors")
    answers = safetensors.torch.load_file(path)["logits"]
    dataset = open_dataset(str(greys))
    decoded = decode_images(dataset.train, InputSpec(48, 48), cache=tmp_path)
    network = create_untrained_model(TEACHER, seed=5)
    images = (torch.from_numpy(decoded.pixels).permute(0, 3, 1, 2) / 255 - 0.4) / 0.5
    with torch.no_grad():
        expected = network(images)[:, [1, 0]]  # the data's first class is the teacher's second
    torch.testing.assert_close(answers, expected, rtol=1e-4, atol=1e-5)
    # The next training with this teacher finds them: another network, the same answers.
    path.with_name("found").write_bytes(path.read_bytes())
    modified = path.stat().st_mtime_ns
    spec = TrainSpec(TINY, data=str(greys), epochs=1, distillation=DistillationSpec(str(teacher)), seed=1)
    train(spec, runs=tmp_path / "runs", name="again")
    assert path.stat().st_mtime_ns == modified
    assert len(list(path.parent.glob("answers-*"))) == 1


def test_a_student_of_a_teacher_that_always_says_dark_says_dark(greys: Path, tmp_path: Path) -> None:
    network = create_untrained_model(TINY, seed=5)
    with torch.no_grad():
        network.classifier.weight.zero_()
        network.classifier.bias.copy_(torch.tensor([-5.0, 5.0]))
    path = tmp_path / "teacher.safetensors"
    save_checkpoint(path, Checkpoint(TINY, InputSpec(32, 32), ("bright", "dark")), network.state_dict())

    # Of four held-out images two are bright: whoever follows the teacher has half of them right.
    run = train_greys(greys, path, tmp_path / "runs", mix=1.0, epochs=20, learning_rate=0.02)

    assert (run.correct, run.tested) == (2, 4)


def test_resume_when_teacher_or_unlabelled_images_have_changed_then_data_error_names_them(
    greys: Path, teacher: Path, tmp_path: Path
) -> None:
    save_greys(tmp_path / "more", 90, 4, seed=9)
    with pytest.raises(KeyboardInterrupt):
        train_greys(
            greys, teacher, tmp_path / "runs", unlabelled=str(tmp_path / "more"), on_progress=stop_at(epoch=1, step=1)
        )
    content = teacher.read_bytes()
    other = create_untrained_model(TEACHER, seed=6).state_dict()
    save_checkpoint(teacher, Checkpoint(TEACHER, InputSpec(48, 48), ("dark", "bright")), other)
    with pytest.raises(DataError, match=r"the teacher has changed.*teacher\.safetensors"):
        resume(tmp_path / "runs" / "greys")
    teacher.write_bytes(content)
    (tmp_path / "more" / "0.png").unlink()
    with pytest.raises(DataError, match=r"unlabelled images have changed.*more"):
        resume(tmp_path / "runs" / "greys")


def test_train_when_the_teacher_knows_other_classes_then_both_are_shown_and_nothing_is_written(
    greys: Path, teacher: Path, tmp_path: Path
) -> None:
    (greys / "dark").rename(greys / "night")

    with pytest.raises(DataError, match="teacher knows 'dark', 'bright', the data has 'bright', 'night'"):
        train_greys(greys, teacher, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_open_unlabelled_leaves_out_copies_and_images_that_are_tested_on(greys: Path, tmp_path: Path) -> None:
    dataset = open_dataset(str(greys))
    save_greys(tmp_path / "more" / "deep", 90, 3, seed=9)
    (tmp_path / "more" / "copy.png").write_bytes((tmp_path / "more" / "deep" / "1.png").read_bytes())
    (tmp_path / "more" / "tested.png").write_bytes(dataset.test[0].read())
    (tmp_path / "more" / "notes.txt").write_text("no image")

    found = open_unlabelled(tmp_path / "more", dataset)

    assert [Path(image.name).name for image in found.images] == ["copy.png", "0.png", "2.png"]
    assert {image.label for image in found.images} == {-1}
    assert found.left_out == 2
    for name in ("deep/0.png", "deep/1.png", "deep/2.png", "copy.png"):
        (tmp_path / "more" / name).unlink()
    with pytest.raises(DataError, match="no unlabelled image that the data lacks"):
        open_unlabelled(tmp_path / "more", dataset)
    with pytest.raises(DataError, match="no such folder"):
        open_unlabelled(tmp_path / "nothing", dataset)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"teacher": ""}, "teacher"),
        ({"temperature": 0.0}, "temperature must be a number, got 0.0; allowed: 0.1 to 100"),
        ({"temperature": float("nan")}, "temperature"),
        ({"mix": 1.5}, "mix must be a number, got 1.5; allowed: 0 to 1"),
        ({"mix": True}, "mix"),
    ],
)
def test_distillation_spec_when_a_value_is_wrong_then_config_error(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        DistillationSpec(**{"teacher": "x.safetensors", **values})


def test_runs_without_a_teacher_are_read_as_before(greys: Path, tmp_path: Path) -> None:
    run = train(TrainSpec(TINY, data=str(greys), epochs=1), runs=tmp_path / "runs", name="plain")
    path = run.folder / "spec.json"
    document = json.loads(path.read_text())
    for part, names in ((document, ("teaching",)), (document["plan"], ("distillation", "supernet"))):
        for name in names:
            del part[name]
    path.write_text(json.dumps(document))

    assert read_run(run.folder).plan.distillation is None
    assert read_run(run.folder).teaching is None
