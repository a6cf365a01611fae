"""Trainings of a benchmark, each kept as a line when it is done: the next call goes on where this one stopped."""

import dataclasses
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from mobisdk.data import Dataset, ImageRef, decode_images, open_dataset
from mobisdk.data.unlabelled import NO_LABEL
from mobisdk.data.view import choose_input
from mobisdk.models.checkpoint import weights_sha256
from mobisdk.specs import InputSpec, ModelSpec, SupernetSpec
from mobisdk.training import TrainSpec
from mobisdk.training.distillation import distil
from mobisdk.training.fitting import fit
from mobisdk.training.plan import plan_training
from mobisdk.training.runs import CHECKPOINT, METRICS
from mobisdk.training.teacher import load_teacher

DOCS = Path(__file__).parents[2] / "docs" / "training.md"


@dataclasses.dataclass(frozen=True)
class Trial:
    """One training."""

    data: str
    alpha: float
    epochs: int
    seed: int
    stem_stride: int
    images: int | None = None
    """So many training images, each class keeping its share; None is all."""
    unlabelled: bool = False
    """The other training images are shown too, without their labels: what a teacher says of them is all there is."""
    teacher: str | None = None
    temperature: float = 4.0
    mix: float = 0.9
    supernet: bool = False

    @property
    def name(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


class Trials:
    """A folder with `trials.jsonl`, and the networks that were trained."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._path = folder / "trials.jsonl"
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        self._done: dict[str, dict[str, Any]] = {line["name"]: line for line in map(json.loads, lines)}

    def checkpoint(self, trial: Trial) -> Path:
        """Where the trial's network is, once it was run."""
        digest = weights_sha256({"name": torch.tensor(list(trial.name.encode()))})[:12]
        return self._folder / f"{digest}.safetensors"

    def run(self, trial: Trial) -> dict[str, Any]:
        """The trial's last line of metrics, with its processor seconds; from the file where it was run before."""
        if trial.name not in self._done:
            line = {"name": trial.name, **_train(trial, self.checkpoint(trial))}
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            self._done[trial.name] = line
            sys.stderr.write(f"{trial.name}: {line['accuracy']:.2%}, {line['processor_seconds']:.0f} s\n")
        return self._done[trial.name]


def _train(trial: Trial, checkpoint: Path) -> dict[str, Any]:
    dataset = open_dataset(trial.data)
    everything = dataset.train
    dataset = dataclasses.replace(dataset, train=_take(dataset, trial.images))
    shown = list(dataset.train)
    if trial.unlabelled:
        labelled = {image.name for image in shown}
        shown += [dataclasses.replace(image, label=NO_LABEL) for image in everything if image.name not in labelled]
    model = ModelSpec(alpha=trial.alpha, resolution=32, stem_stride=trial.stem_stride)
    spec = TrainSpec(
        model,
        data=trial.data,
        epochs=trial.epochs,
        seed=trial.seed,
        supernet=SupernetSpec((0.25, trial.alpha)) if trial.supernet else None,
    )
    plan = plan_training(spec, dataset, choose_input(dataset, 32))
    objective = None
    if trial.teacher is not None:
        teacher = load_teacher(trial.teacher, dataset.classes, plan.input)
        objective = distil(teacher, temperature=trial.temperature, mix=trial.mix, label_smoothing=plan.label_smoothing)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = InputSpec(plan.input.resize, plan.input.resize, plan.input.mean, plan.input.std)
        train = decode_images(shown, whole, cache=folder)
        test = decode_images(dataset.test, plan.input, cache=folder)
        started = time.process_time()
        fit(folder, plan, dataset.classes, train, test, None, objective=objective)
        seconds = time.process_time() - started
        checkpoint.write_bytes((folder / CHECKPOINT).read_bytes())
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8").splitlines()[-1])
    return {**metrics, "processor_seconds": seconds, "precision": plan.precision}


def _take(dataset: Dataset, count: int | None) -> tuple[ImageRef, ...]:
    """The images whose hashes are smallest, as many of each class as its share: the same ones every time."""
    if count is None:
        return dataset.train
    share = count / len(dataset.train)
    taken: list[ImageRef] = []
    for label in range(len(dataset.classes)):
        images = sorted((image for image in dataset.train if image.label == label), key=lambda image: image.sha256)
        taken += images[: max(1, round(share * len(images)))]
    return tuple(taken)


def write_table(mark: str, table: str) -> None:
    """Put the table into docs/training.md, between the mark's comments."""
    text = DOCS.read_text(encoding="utf-8")
    pattern = rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)"
    DOCS.write_text(re.sub(pattern, rf"\g<1>{table}\g<2>", text, flags=re.DOTALL), encoding="utf-8")
