"""Training throughput against a plain loop, and the share of a step spent waiting for data.

    OMP_WAIT_POLICY=PASSIVE python tests/benchmarks/bench_training.py [--alpha 0.5] [--rounds 5] [--cifar10 DIR]
        [--precision float32] [--kinds memory,folder,parquet,shards] [--memory]

The variable is what `mobisdk` sets, and is good for both where the computer does anything else.

The plain loop is what one writes first: every image in memory as normalized float32 in NCHW, the same network,
loss, batch size and optimizer, torch's defaults elsewhere, nothing augmented. Ours is `fit` as `mobisdk train` runs
it, with decoding done: crops, flips, Lightning, progress. Both take turns, so that whatever else the computer does
hits both; the ratio of each turn's two speeds is what counts. `memory` is a data set decoded before; `folder`,
`parquet` and `shards` are CIFAR-10's images as files, row groups and WebDataset shards, decoded while training.

`--memory` trains a few steps at 128, batch 64, instead, and gives the process's peak.
"""

import argparse
import io
import json
import statistics
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F

from mobisdk.data import Dataset, DecodedImages, decode_images, open_dataset
from mobisdk.data.batches import TrainingImages, normalize
from mobisdk.data.streaming import StreamedImages
from mobisdk.data.view import choose_input
from mobisdk.models import create_model
from mobisdk.specs import InputSpec, ModelSpec
from mobisdk.training import TrainProgress, TrainSpec
from mobisdk.training.fitting import fit
from mobisdk.training.plan import TrainingPlan, plan_training

BATCH = 128
ROWS = 256
"""Images a row group, or a shard."""
STEPS = 11
"""A turn: about 1,400 images, all of the digits."""
CIFAR10 = Path(__file__).parents[3] / "shared" / "data" / "cifar10"


def main() -> None:
    """Measure, and print one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cifar10", type=Path, default=CIFAR10)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--kinds", default="memory,folder,parquet,shards")
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    if options.memory:
        sys.stdout.write(json.dumps({"peak_bytes": measure_memory(options.alpha)}) + "\n")
        return
    kinds = options.kinds.split(",")
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            if kind == "memory":
                source = "digits"
            elif options.cifar10.exists():
                source = str(write_data(kind, options.cifar10, Path(folder)))
            else:
                continue
            figures[kind] = measure(source, options.alpha, options.rounds, options.precision, stream=kind != "memory")
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def write_data(kind: str, cifar10: Path, folder: Path) -> Path:
    """The same images in another form: a turn's to train with, a batch to test with."""
    dataset = open_dataset(cifar10)
    # Evenly spread, since rows may be in the order of their classes.
    splits = {
        "train": dataset.train[:: len(dataset.train) // (BATCH * STEPS)][: BATCH * STEPS],
        "test": dataset.test[:: len(dataset.test) // BATCH][:BATCH],
    }
    target = folder / kind
    target.mkdir()
    for split, images in splits.items():
        if kind == "parquet":
            columns = {"image": [image.read() for image in images], "label": [image.label for image in images]}
            pq.write_table(pa.table(columns), target / f"{split}.parquet", row_group_size=ROWS)
        elif kind == "shards":
            for start in range(0, len(images), ROWS):
                with tarfile.open(target / f"{split}-{start:06}.tar", "w") as archive:
                    for index, image in enumerate(images[start : start + ROWS]):
                        for suffix, content in (("jpg", image.read()), ("cls", str(image.label).encode())):
                            member = tarfile.TarInfo(f"{index:06}.{suffix}")
                            member.size = len(content)
                            archive.addfile(member, io.BytesIO(content))
        else:
            for index, image in enumerate(images):
                path = target / split / str(image.label) / f"{index}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(image.read())
    return target


def measure_memory(alpha: float) -> int:
    """The peak of this process after an epoch of a few steps at 128×128, batch 64."""
    dataset = open_dataset("digits")
    spec = TrainSpec(ModelSpec(alpha=alpha, resolution=128), epochs=1, batch_size=64, ema_decay=0.99)
    plan = plan_training(spec, dataset, InputSpec(128, 128))
    train, test = decode(dataset, plan)
    run_ours(dataset, plan, train, test)
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def measure(source: str, alpha: float, rounds: int, precision: str, *, stream: bool) -> dict[str, object]:
    """Images a second of both, turn by turn, and how much of ours was waiting."""
    dataset = open_dataset(source)
    view = choose_input(dataset, 32)
    spec = TrainSpec(
        ModelSpec(alpha=alpha, resolution=32, stem_stride=1),
        data=source,
        epochs=1,
        batch_size=BATCH,
        precision=precision,  # type: ignore[arg-type]
        stream=stream,
    )
    plan = plan_training(spec, dataset, view)
    train, test = decode(dataset, plan)
    plain = PlainLoop(train, plan)
    given = StreamedImages(dataset.train[: BATCH * STEPS], plan.input, skip_broken=False) if stream else train
    turns = []
    for turn in range(rounds + 1):
        plain_speed = plain.run()
        ours, wait = run_ours(dataset, plan, given, test)
        sys.stderr.write(f"{source}: plain {plain_speed:.0f}, ours {ours:.0f} images/s, {wait:.1%} waiting\n")
        if turn:  # the first one warms up
            turns.append((plain_speed, ours, wait))
    return {
        "plain_images_per_second": statistics.median(plain for plain, _, _ in turns),
        "images_per_second": statistics.median(ours for _, ours, _ in turns),
        "ratio": statistics.median(ours / plain for plain, ours, _ in turns),
        "ratios": [ours / plain for plain, ours, _ in turns],
        "data_wait_share": statistics.median(wait for _, _, wait in turns),
        "precision": plan.precision,
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


def run_ours(dataset: Dataset, plan: TrainingPlan, train: TrainingImages, test: DecodedImages) -> tuple[float, float]:
    """One epoch; images a second, and the share of waiting."""
    seen: list[TrainProgress] = []
    with tempfile.TemporaryDirectory() as folder:
        fit(Path(folder), plan, dataset.classes, train, test, seen.append)
    return seen[-1].images_per_second, seen[-1].data_wait_share


if __name__ == "__main__":
    main()
