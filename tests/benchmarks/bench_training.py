"""Training throughput against a plain loop, and the share of a step spent waiting for data.

    OMP_WAIT_POLICY=PASSIVE python tests/benchmarks/bench_training.py [--alpha 0.5] [--rounds 5] [--cifar10 DIR]

The variable is what `mobisdk` sets, and is good for both where the computer does anything else.

The plain loop is what one writes first: every image in memory as normalized float32 in NCHW, the same network,
loss, batch size and optimizer, torch's defaults elsewhere, nothing augmented. Ours is `fit` as `mobisdk train` runs
it, with decoding done: crops, flips, Lightning, progress. Both take turns, so that whatever else the computer does
hits both; the ratio of each turn's two speeds is what counts.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from mobisdk.data import Dataset, DecodedImages, decode_images, open_dataset
from mobisdk.data.batches import normalize
from mobisdk.data.view import choose_input
from mobisdk.models import create_model
from mobisdk.specs import ModelSpec
from mobisdk.training import TrainProgress, TrainSpec
from mobisdk.training.fitting import fit
from mobisdk.training.plan import TrainingPlan, plan_training

BATCH = 128
STEPS = 11
"""A turn: about 1,400 images, all of the digits."""
CIFAR10 = Path(__file__).parents[3] / "shared" / "data" / "cifar10"


def main() -> None:
    """Measure, and print one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cifar10", type=Path, default=CIFAR10)
    options = parser.parse_args()
    sources = ["digits", *([str(options.cifar10)] if options.cifar10.exists() else [])]
    figures = {source: measure(source, options.alpha, options.rounds) for source in sources}
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def measure(source: str, alpha: float, rounds: int) -> dict[str, object]:
    """Images a second of both, turn by turn, and how much of ours was waiting."""
    dataset = open_dataset(source)
    view = choose_input(dataset, 32)
    spec = TrainSpec(ModelSpec(alpha=alpha, resolution=32, stem_stride=1), data=source, epochs=1, batch_size=BATCH)
    plan = plan_training(spec, dataset, view)
    train, test = decode(dataset, plan)
    plain = PlainLoop(train, plan)
    turns = []
    for turn in range(rounds + 1):
        plain_speed = plain.run()
        ours, wait = run_ours(dataset, plan, train, test)
        sys.stderr.write(f"{source}: plain {plain_speed:.0f}, ours {ours:.0f} images/s, {wait:.1%} waiting\n")
        if turn:  # the first one warms up
            turns.append((plain_speed, ours, wait))
    return {
        "plain_images_per_second": statistics.median(plain for plain, _, _ in turns),
        "images_per_second": statistics.median(ours for _, ours, _ in turns),
        "ratio": statistics.median(ours / plain for plain, ours, _ in turns),
        "ratios": [ours / plain for plain, ours, _ in turns],
        "data_wait_share": statistics.median(wait for _, _, wait in turns),
        "threads": torch.get_num_threads(),
    }


def decode(dataset: Dataset, plan: TrainingPlan) -> tuple[DecodedImages, DecodedImages]:
    """One turn's images to train with, and a few to test with."""
    with tempfile.TemporaryDirectory() as cache:
        images = dataset.train[: BATCH * STEPS]
        return (
            decode_images(images, plan.input, cache=Path(cache)),
            decode_images(dataset.test[:BATCH], plan.input, cache=Path(cache)),
        )


class PlainLoop:
    """Eager, NCHW, in memory."""

    def __init__(self, images: DecodedImages, plan: TrainingPlan) -> None:
        self.images = normalize(torch.from_numpy(np.array(images.pixels)), plan.input).contiguous()
        self.labels = torch.from_numpy(images.labels)
        self.model = create_model(plan.model)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=plan.weight_decay
        )

    def run(self) -> float:
        """One epoch; images a second."""
        started = time.perf_counter()
        batches = torch.randperm(len(self.labels))[: BATCH * STEPS].split(BATCH)
        for indices in batches:
            loss = F.cross_entropy(self.model(self.images[indices]), self.labels[indices])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return BATCH * len(batches) / (time.perf_counter() - started)


def run_ours(dataset: Dataset, plan: TrainingPlan, train: DecodedImages, test: DecodedImages) -> tuple[float, float]:
    """One epoch; images a second, and the share of waiting."""
    seen: list[TrainProgress] = []
    with tempfile.TemporaryDirectory() as folder:
        fit(Path(folder), plan, dataset.classes, train, test, seen.append)
    return seen[-1].images_per_second, seen[-1].data_wait_share


if __name__ == "__main__":
    main()
