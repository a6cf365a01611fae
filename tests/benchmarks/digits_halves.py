"""Digits, each of them held out once, and trainings on them as `mobisdk train` and `mobisdk compress` have them.

The split of the product holds out 359 scans: one of them is 0.28 points, and three seeds' interval is wider than half a
point whatever a technique does. Here a seed shuffles all 1,797 scans into two halves, each of which is held out by a
network of its own that learns from the other; accuracies before and after are of the same network on the same scans.
"""

import copy
import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from sklearn.model_selection import StratifiedKFold
from torch import Tensor, nn

from mobisdk.data import Dataset, DecodedImages, decode_images, open_dataset
from mobisdk.data.batches import HeldOutBatches, normalize
from mobisdk.models import create_model
from mobisdk.models.evaluation_mode import evaluation_mode
from mobisdk.specs import InputSpec, ModelSpec
from mobisdk.training import TrainSpec
from mobisdk.training.distillation import distil
from mobisdk.training.fitting import fit as fit_plan
from mobisdk.training.held_out import count_correct
from mobisdk.training.plan import plan_training

_TEMPERATURE, _MIX = 4.0, 0.7
"""Of distillation, as `mobisdk compress` has them."""
HALVES = 2
_BATCH = 32
_ANY = ModelSpec("lenet_5", 1.0, 32, 10)
"""A plan names a network; what is trained is given to it."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """Which half of a seed's is held out, and where networks that are trained on the other one are kept."""

    seed: int
    half: int
    kept: Path

    @property
    def own_seed(self) -> int:
        """Of this cell's trainings."""
        return self.seed * HALVES + self.half


@dataclasses.dataclass(frozen=True)
class Digits:
    """A cell's two splits, decoded."""

    dataset: Dataset
    view: InputSpec
    train: DecodedImages
    test: DecodedImages

    def look(self, count: int) -> Tensor:
        """Training images, normalized, (count,3,ρ,ρ)."""
        return normalize(torch.from_numpy(self.train.pixels[:count]), self.view).contiguous()

    def accuracy(self, network: nn.Module) -> float:
        """Held-out images that are right, in percent."""
        with evaluation_mode(network):
            right = count_correct(network, HeldOutBatches(self.test, self.view, batch_size=256))
        return 100 * right / len(self.test.labels)


def load_digits(cell: Cell, resolution: int = 32) -> Digits:
    """The cell's half is held out."""
    dataset, view = open_dataset("digits"), InputSpec(resolution, resolution)
    scans = (*dataset.train, *dataset.test)
    labels = [scan.label for scan in scans]
    parts = StratifiedKFold(HALVES, shuffle=True, random_state=cell.seed).split(labels, labels)
    train, test = list(parts)[cell.half]
    dataset = dataclasses.replace(
        dataset, train=tuple(scans[place] for place in train), test=tuple(scans[place] for place in test)
    )
    with tempfile.TemporaryDirectory() as cache:
        splits = [decode_images(images, view, cache=Path(cache)) for images in (dataset.train, dataset.test)]
    return Digits(dataset, view, *splits)


def fit(
    network: nn.Module,
    digits: Digits,
    *,
    epochs: int,
    rate: float,
    seed: int,
    teacher: nn.Module | None = None,
) -> None:
    """Train in place, by the product's own loop; with a teacher, as `mobisdk compress` fine-tunes."""
    spec = TrainSpec(_ANY, epochs=epochs, learning_rate=rate, batch_size=_BATCH, seed=seed)
    plan = plan_training(spec, digits.dataset, digits.view)
    objective = None
    if teacher is not None:
        teach = copy.deepcopy(teacher).eval().requires_grad_(requires_grad=False)
        objective = distil(lambda batch: teach(batch.images), temperature=_TEMPERATURE, mix=_MIX)
    with tempfile.TemporaryDirectory() as folder:
        labels = digits.dataset.classes
        fit_plan(Path(folder), plan, labels, digits.train, digits.test, None, network=network, objective=objective)


def train_once(
    cell: Cell, digits: Digits, name: str, build: Callable[[], nn.Module], train: Callable[[nn.Module], None]
) -> nn.Module:
    """The cell's trained network of this name, trained where it is not kept."""
    torch.manual_seed(cell.own_seed)
    network = build()
    path = cell.kept / f"{name}-{digits.view.crop}-{cell.seed}-{cell.half}of{HALVES}.pt"
    if path.exists():
        network.load_state_dict(torch.load(path, weights_only=True))
    else:
        train(network)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(network.state_dict(), path)
    return network.eval()


def train_mobilenet(cell: Cell, digits: Digits, spec: ModelSpec, epochs: int) -> nn.Module:
    """At a rate for batches of 32, which half of the digits need."""
    return train_once(
        cell,
        digits,
        f"{spec.arch}-{spec.alpha:g}-{epochs}",
        lambda: create_model(spec),
        lambda network: fit(network, digits, epochs=epochs, rate=0.1, seed=cell.own_seed),
    )
