"""What codes cost and save on digits, three seeds: the tables of docs/compression.md. Resumable: a line a case.

python tests/benchmarks/bench_codes.py [RESULTS.jsonl] [--seeds N] [--only CASE]
"""

import argparse
import dataclasses
import json
import math
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor, nn

from mobisdk.compression import compress_
from mobisdk.compression.binary_weights import BinaryWeightsConfig
from mobisdk.compression.deep_compression import DeepCompressionConfig
from mobisdk.compression.hashing import HashingConfig
from mobisdk.compression.low_bits import LowBitsConfig
from mobisdk.compression.magnitude_pruning import MagnitudePruningConfig
from mobisdk.compression.packed_checkpoint import read_packed, write_packed
from mobisdk.compression.product_quantization import ProductQuantizationConfig
from mobisdk.data import decode_images, open_dataset
from mobisdk.data.batches import normalize
from mobisdk.layers.parametrized import without_parametrizations
from mobisdk.models import create_model
from mobisdk.models.checkpoint import Checkpoint
from mobisdk.specs import InputSpec, ModelSpec

LABELS = tuple("0123456789")
HEADER = ModelSpec("lenet_5", 1.0, 32, 10)
"""A packed file names an architecture; those networks are built here, for 28×28."""
BATCH = 64
CALIBRATION = 32
Result = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Digits:
    """Normalized images and labels, (N,3,ρ,ρ) and (N,)."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


def load_digits(resolution: int) -> Digits:
    dataset, spec = open_dataset("digits"), InputSpec(resolution, resolution)
    with tempfile.TemporaryDirectory() as cache:
        splits = [decode_images(images, spec, cache=Path(cache)) for images in (dataset.train, dataset.test)]
    train, test = (
        (normalize(torch.from_numpy(each.pixels), spec).contiguous(), torch.from_numpy(each.labels)) for each in splits
    )
    return Digits(train, test)


class LeNet300100(nn.Module):
    """Two hidden layers of 300 and 100 (LeCun et al. 1998), on the mean of the three equal channels."""

    def __init__(self, first: int = 300, second: int = 100) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(784, first), nn.Linear(first, second)
        self.classifier = nn.Linear(second, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of (N,3,28,28)."""
        hidden = torch.relu(self.first(images.mean(1).flatten(1)))
        logits: Tensor = self.classifier(torch.relu(self.second(hidden)))
        return logits


class LeNet5(nn.Module):
    """20 and 50 filters of 5×5, a hidden layer of 500 (LeCun et al. 1998, as Han et al. 2015 compress it)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 20, 5), nn.Conv2d(20, 50, 5)
        self.hidden, self.classifier = nn.Linear(800, 500), nn.Linear(500, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of (N,3,28,28)."""
        features = F.max_pool2d(torch.relu(self.first(images.mean(1, keepdim=True))), 2)
        features = F.max_pool2d(torch.relu(self.second(features)), 2).flatten(1)
        logits: Tensor = self.classifier(torch.relu(self.hidden(features)))
        return logits


def fit(network: nn.Module, digits: Digits, *, epochs: int, rate: float, seed: int) -> None:
    """AdamW, a fifth of the steps to the highest rate and a cosine from it; images are shifted by up to two pixels."""
    images, labels = digits.train
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-4)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.2)
    network.train()
    for _ in range(epochs):
        for places in torch.randperm(len(images), generator=generator).split(BATCH)[: len(images) // BATCH]:
            down, right = torch.randint(-2, 3, (2,), generator=generator).tolist()
            loss = F.cross_entropy(network(images[places].roll((down, right), (2, 3))), labels[places])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()


@torch.no_grad()
def accuracy(network: nn.Module, digits: Digits) -> float:
    images, labels = digits.test
    return 100 * float((network.eval()(images).argmax(1) == labels).float().mean())


def count_bytes(network: nn.Module) -> int:
    return 4 * sum(parameter.numel() for parameter in network.parameters())


def deep_compression(
    build: Callable[[], nn.Module],
    spec: ModelSpec,
    seed: int,
    *,
    resolution: int,
    rate: float,
    epochs: int,
    sparsities: tuple[float, ...],
    bits: tuple[int, int],
    pruned: Callable[[str, nn.Module], bool],
) -> Result:
    digits = load_digits(resolution)
    torch.manual_seed(seed)
    network = build()
    fit(network, digits, epochs=epochs, rate=rate, seed=seed)
    before, dense_bytes = accuracy(network, digits), count_bytes(network)
    layers = tuple(
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and pruned(name, module)
    )
    records = []
    for sparsity in sparsities:  # in steps, as Han et al. prune
        records.append(
            compress_(
                network, MagnitudePruningConfig(sparsity=sparsity, layers=layers), images=digits.train[0][:2]
            ).record
        )
        fit(network, digits, epochs=epochs, rate=rate / 2, seed=seed + 100)
    after_pruning = accuracy(network, digits)
    config = DeepCompressionConfig(convolution_bits=bits[0], dense_bits=bits[1])
    records.append(compress_(network, config, images=digits.train[0][:2]).record)
    fit(network, digits, epochs=max(4, epochs // 3), rate=rate / 10, seed=seed + 200)
    checkpoint = Checkpoint(spec, InputSpec(spec.resolution, spec.resolution), LABELS, (records[-1],))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.mdc"
        write_packed(path, checkpoint, network.state_dict())
        _, state, sizes = read_packed(path)
        packed = path.stat().st_size
    network.load_state_dict(state)
    return {
        "before": before,
        "after": accuracy(network, digits),
        "after_pruning": after_pruning,
        "times_smaller": dense_bytes / packed,
        "bytes": packed,
        "paper_bytes": sum(size.paper_bytes for size in sizes),
        "shared_bytes": sum(size.size_bytes for size in sizes),
        "paper_times_smaller": dense_bytes
        / (sum(size.paper_bytes for size in sizes) + dense_bytes - 4 * sum(size.elements for size in sizes)),
    }


def dc_lenet(
    build: Callable[[], nn.Module], seed: int, *, epochs: int, pruned: Callable[[str, nn.Module], bool]
) -> Result:
    return deep_compression(
        build,
        HEADER,
        seed,
        resolution=28,
        rate=2e-3,
        epochs=epochs,
        sparsities=(0.8, 0.92),
        bits=(5, 5),
        pruned=pruned,
    )


def dc_lenet_300_100(seed: int) -> Result:
    return dc_lenet(LeNet300100, seed, epochs=20, pruned=lambda name, _: name != "classifier")


def dc_lenet_5(seed: int) -> Result:
    return dc_lenet(LeNet5, seed, epochs=12, pruned=lambda name, _: name in ("second", "hidden"))


def dc_mobilenet(seed: int) -> Result:
    spec = ModelSpec("mobilenet_v1", 0.5, 32, 10)
    return deep_compression(
        lambda: create_model(spec),
        spec,
        seed,
        resolution=32,
        rate=1e-2,
        epochs=12,
        sparsities=(0.75,),
        bits=(5, 5),
        pruned=lambda _, module: isinstance(module, nn.Conv2d) and module.groups == 1 and module.in_channels > 3,
    )


def product_quantization(seed: int) -> Result:
    spec = ModelSpec("mobilenet_v1_full_conv", 0.25, 32, 10)
    digits = load_digits(32)
    torch.manual_seed(seed)
    network = create_model(spec)
    fit(network, digits, epochs=12, rate=1e-2, seed=seed)
    before = accuracy(network, digits)
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    weights = 4 * sum(layer.weight.numel() for layer in layers)
    result = compress_(network, ProductQuantizationConfig(), images=digits.train[0][:CALIBRATION])
    quantized = accuracy(network, digits)
    fit(network, digits, epochs=4, rate=1e-3, seed=seed + 100)
    changed = {change.name for change in result.changed}
    bits = {change.name: change.bits_per_weight for change in result.changed}
    plain = without_parametrizations(network)
    sizes = {
        name: module.weight.numel()
        for name, module in plain.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }
    small = sum(size * bits.get(name, 32) / 8 for name, size in sizes.items())
    return {
        "before": before,
        "quantized": quantized,
        "after": accuracy(network, digits),
        "times_smaller": weights / small,
        "changed_times_smaller": sum(4 * sizes[name] for name in changed)
        / sum(sizes[name] * bits[name] / 8 for name in changed),
    }


def hashing(seed: int) -> Result:
    digits = load_digits(28)
    torch.manual_seed(seed)
    network = LeNet300100()
    fit(network, digits, epochs=30, rate=2e-3, seed=seed)
    before = accuracy(network, digits)
    compress_(network, HashingConfig(share=1 / 8), images=digits.train[0][:2])
    fit(network, digits, epochs=60, rate=2e-3, seed=seed + 100)
    numbers = sum(parameter.numel() for parameter in network.parameters())
    # The same depth, each width by one factor, and at least as many parameters.
    torch.manual_seed(seed)
    small = next(
        each
        for width in range(10, 300)
        for each in [LeNet300100(width, max(1, width // 3))]
        if sum(parameter.numel() for parameter in each.parameters()) >= numbers
    )
    fit(small, digits, epochs=90, rate=2e-3, seed=seed + 100)
    return {
        "before": before,
        "after": accuracy(network, digits),
        "equal": accuracy(small, digits),
        "params": numbers,
        "equal_params": sum(parameter.numel() for parameter in small.parameters()),
    }


def low_bits(seed: int) -> Result:
    spec = ModelSpec("mobilenet_v1", 0.5, 32, 10)
    digits = load_digits(32)
    torch.manual_seed(seed)
    network = create_model(spec)
    fit(network, digits, epochs=12, rate=1e-2, seed=seed)
    result = {"before": accuracy(network, digits)}
    state = {name: value.clone() for name, value in network.state_dict().items()}
    for name, config in (
        ("binary", BinaryWeightsConfig()),
        ("2 bits", LowBitsConfig(weight_bits=2)),
        ("4 bits", LowBitsConfig(weight_bits=4)),
        ("6 bits", LowBitsConfig(weight_bits=6)),
    ):
        rounded = create_model(spec)
        rounded.load_state_dict(state)
        compress_(rounded, config, images=digits.train[0][:2])
        fit(rounded, digits, epochs=8, rate=5e-3, seed=seed + 100)
        result[name] = accuracy(rounded, digits)
    return result


CASES: dict[str, Callable[[int], Result]] = {
    "deep_compression lenet_300_100": dc_lenet_300_100,
    "deep_compression lenet_5": dc_lenet_5,
    "deep_compression mobilenet_v1 0.5": dc_mobilenet,
    "product_quantization mobilenet_v1_full_conv 0.25": product_quantization,
    "hash lenet_300_100 1/8": hashing,
    "low_bits mobilenet_v1 0.5": low_bits,
}


def summarize(lines: list[dict[str, Any]]) -> str:
    """A table for docs/compression.md: means, and 95 % t intervals over the seeds of what each case lost."""
    by_case: dict[str, list[Result]] = defaultdict(list)
    for line in lines:
        by_case[line["case"]].append(line["result"])
    rows = ["| case | seeds | figure | mean | least to most | lost, points (95 %) |", "|---|---|---|---|---|---|"]
    for case, results in by_case.items():
        for figure in results[0]:
            values = np.array([result[figure] for result in results])
            lost = "–"
            if figure in ("after", "equal", "binary", "2 bits", "4 bits", "6 bits", "quantized", "after_pruning"):
                drops = np.array([result["before"] - result[figure] for result in results])
                lost = f"{drops.mean():.2f}"
                if len(drops) > 1:
                    half = float(stats.t.ppf(0.975, len(drops) - 1)) * drops.std(ddof=1) / math.sqrt(len(drops))
                    lost += f" ± {half:.2f}"
            spread = f"{values.min():.6g} to {values.max():.6g}"
            rows.append(f"| {case} | {len(values)} | {figure} | {values.mean():.6g} | {spread} | {lost} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=Path("runs/bench-codes.jsonl"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only")
    options = parser.parse_args()
    options.results.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(line) for line in options.results.read_text().splitlines()] if options.results.exists() else []
    done = {(line["case"], line["seed"]) for line in lines}
    for seed in range(options.seeds):
        for case, measure in CASES.items():
            if (case, seed) in done or (options.only and options.only not in case):
                continue
            started = time.process_time()
            result = measure(seed)
            lines.append({"case": case, "seed": seed, "result": result})
            with options.results.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
            sys.stderr.write(f"{case} {seed}: {time.process_time() - started:.0f} s, {result}\n")
            sys.stderr.flush()
    sys.stdout.write(f"{summarize(lines)}\n")


if __name__ == "__main__":
    main()
