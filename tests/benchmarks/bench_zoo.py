"""Compressed layers against full ones, and every architecture on CIFAR-10 with its latency on this computer.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python tests/benchmarks/bench_zoo.py [STAGE …]

Trainings lie in --work, one folder a row; what is there is not done again, and what was stopped goes on. The tables
and the chart of docs/zoo.md are written anew from what is there. Without a stage, all of
them: pairs, networks, bundles, latency, tables.
"""

import argparse
import datetime
import importlib.metadata
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from report import put_table

from mobisdk.devices.host import read_cores, read_device
from mobisdk.models import list_models
from mobisdk.specs import ModelSpec
from mobisdk.training import TrainSpec, read_run, resume, train
from mobisdk.training.runs import SPEC

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "zoo.md"
CHART = ROOT / "docs" / "zoo.svg"
DIGITS = "digits"


@dataclass(frozen=True)
class Pair:
    """A network of compressed layers, and the one of full layers that it is compared with."""

    arch: str
    counterpart: str
    data: str
    alpha: float
    stem_stride: int
    epochs: int
    rates: tuple[float, float]
    """Highest learning rates of the two: each network's own best, see docs/zoo.md."""
    layers: str
    """Where the layers lie that differ."""


FULL = "mobilenet_v1_full_conv"
CIFAR10 = "CIFAR-10"
CLAIMS = {
    "flattened": "8 to 10 × (arXiv:1412.5474)",
    "factorized": "8 to 9 × for 3×3: 1/9 + 1/n (arXiv:1608.04337)",
    "structured_transform": "over 3.5 × of keyword networks (arXiv:1510.01722)",
    "deep_fried": "up to 11 × of a whole LeNet (arXiv:1412.7149)",
}
PAIRS = (
    Pair("flattened", FULL, DIGITS, 0.25, 2, 12, (0.1, 0.1), "blocks"),
    Pair("factorized", FULL, DIGITS, 0.25, 2, 12, (0.1, 0.1), "blocks"),
    Pair("structured_transform", "lenet_5", DIGITS, 1.0, 1, 28, (0.01, 0.03), "hidden"),
    Pair("deep_fried", "lenet_5", DIGITS, 1.0, 1, 28, (0.01, 0.03), "hidden"),
    Pair("flattened", FULL, CIFAR10, 0.25, 2, 4, (0.1, 0.1), "blocks"),
    Pair("factorized", FULL, CIFAR10, 0.25, 2, 4, (0.1, 0.1), "blocks"),
)
SEEDS = (0, 1, 2)
IMAGES = 20_000
"""Of CIFAR-10's 50,000, so that all of it takes about an hour; the 10,000 test images are all there."""

ALPHA = 0.25
LEAST = {"inception_v3": 39}
"""Where an architecture takes no 32×32."""
RECIPE, PLATFORM = "xnnpack_fp32", "android"


def main() -> None:
    """Do the stages that are asked for."""
    stages = {
        "pairs": train_pairs,
        "networks": train_networks,
        "bundles": export_networks,
        "latency": measure,
        "tables": write_document,
    }
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("stages", nargs="*", choices=[*stages, []], default=list(stages))
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/cifar10", help="CIFAR-10 as Parquet")
    parser.add_argument("--work", type=Path, default=Path("runs/zoo"))
    options = parser.parse_args()
    if not options.data.exists():
        sys.exit(f"{options.data} is not here: bench-zoo needs CIFAR-10 as Parquet, see --data")
    for stage in options.stages:
        stages[stage](options.data, options.work)


def train_pairs(data: Path, work: Path) -> None:
    """Train both networks of each pair with every seed."""
    for name, spec in list_pair_trainings(take_part(data, work / "data", IMAGES)):
        train_once(name, spec, work / "pairs")


def list_pair_trainings(cifar10: Path) -> Iterator[tuple[str, TrainSpec]]:
    """Names and settings, one pair after the other; pairs may share their counterpart."""
    for pair in PAIRS:
        for seed in SEEDS:
            for arch, rate in zip((pair.arch, pair.counterpart), pair.rates, strict=True):
                model = ModelSpec(arch, alpha=pair.alpha, resolution=32, stem_stride=pair.stem_stride)
                source = pair.data if pair.data == DIGITS else str(cifar10)
                name = pair_run(pair, arch, seed)
                yield name, TrainSpec(model, source, epochs=pair.epochs, batch_size=64, learning_rate=rate, seed=seed)


def pair_run(pair: Pair, arch: str, seed: int) -> str:
    """Name of the training."""
    return f"{arch}-{pair.data}-{seed}"


def train_networks(data: Path, work: Path) -> None:
    """Train every architecture for one epoch of a part of the images at its own rate; test it on all held-out ones."""
    part = take_part(data, work / "data", IMAGES)
    for arch in list_models():
        train_once(arch, TrainSpec(network_spec(arch), str(part), epochs=1, batch_size=64), work / "networks")


def network_spec(arch: str) -> ModelSpec:
    """The variant in the table of all networks."""
    return ModelSpec(arch, alpha=ALPHA, resolution=LEAST.get(arch, 32), stem_stride=1, num_classes=10)


def take_part(data: Path, folder: Path, images: int) -> Path:
    """CIFAR-10 with so many of its training images, evenly spread over the file; the test images are all there."""
    import numpy as np
    import pyarrow.parquet as pq

    if not folder.exists():
        folder.mkdir(parents=True)
        table = pq.read_table(data / "train.parquet")
        chosen = np.linspace(0, len(table) - 1, images).round().astype(np.int64)
        pq.write_table(table.take(chosen), folder / "train.parquet")
        pq.write_table(pq.read_table(data / "test.parquet"), folder / "test.parquet")
    return folder


def train_once(name: str, spec: TrainSpec, runs: Path) -> None:
    """Train, go on with a training that was stopped, or leave a finished one alone."""
    folder = runs / name
    if not (folder / SPEC).exists():
        train(spec, runs=runs, name=name)
    elif len(read_run(folder).metrics) < read_run(folder).plan.epochs:
        resume(folder)
    else:
        return
    sys.stderr.write(f"{name}: {read_run(folder).metrics[-1]['accuracy']:.2%}\n")


def export_networks(_: Path, work: Path) -> None:
    """Make a bundle of each trained network that has none yet."""
    from mobiconvert import find_recipe
    from mobisdk.cli.networks import convert_network, load_trained_network

    for arch in list_models():
        is_trained = read_accuracy(work / "networks" / arch) is not None
        if is_trained and not list((work / "bundles").glob(f"{arch}-a*")):
            network = load_trained_network(work / "networks" / arch / "last.safetensors", {})
            convert_network(network, find_recipe(RECIPE, PLATFORM), work / "bundles")
            sys.stderr.write(f"{arch}: exported\n")


def measure(_: Path, work: Path) -> None:
    """Measure all bundles in turns: on a quiet computer, or the intervals say that it was none."""
    log = work / "latency.jsonl"
    log.unlink(missing_ok=True)
    bundles = sorted(map(str, (work / "bundles").glob("[!.]*")))
    run_mobisdk("bench", *bundles, "--log", str(log), "--threads", "1", "--cold-starts", "0", "--runs", "5")


def run_mobisdk(*arguments: str) -> None:
    """As a user would."""
    subprocess.run([sys.executable, "-m", "mobisdk", *arguments], check=True, stdout=subprocess.DEVNULL)


def write_document(_: Path, work: Path) -> None:
    """Replace the tables of docs/zoo.md, and draw its chart."""
    put_table(DOCUMENT, "bench-zoo pairs", write_pair_table(work / "pairs"))
    put_table(DOCUMENT, "bench-zoo networks", write_network_table(work))
    log = work / "latency.jsonl"
    against = ("--logs", str(log)) if log.exists() else ("--against", "macs")
    run_mobisdk("models", "chart", str(CHART), "--runs", str(work / "networks"), *against)


def write_pair_table(runs: Path) -> str:
    """A row a pair: accuracy of both over the seeds, and what the layers save."""
    lines = [
        "| network | counterpart | on | α | epochs | % right (seeds) | its | gap | weights | of | less | net | claim |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for pair in PAIRS:
        shares = [
            [accuracy for seed in SEEDS if (accuracy := read_accuracy(runs / pair_run(pair, arch, seed))) is not None]
            for arch in (pair.arch, pair.counterpart)
        ]
        told = [
            f"{statistics.mean(each):.2f} ({', '.join(map('{:.2f}'.format, each))})" if each else "–" for each in shares
        ]
        is_whole = all(len(each) == len(SEEDS) for each in shares)
        gap = f"{statistics.mean(shares[0]) - statistics.mean(shares[1]):+.2f}" if is_whole else "–"
        (weights, params), (full_weights, full_params) = (
            count_weights(pair, arch) for arch in (pair.arch, pair.counterpart)
        )
        lines.append(
            f"| `{pair.arch}` | `{pair.counterpart}` | {pair.data} | {pair.alpha:g} | {pair.epochs} | "
            f"{' | '.join(told)} | {gap} | {weights:,} | {full_weights:,} | {full_weights / weights:.1f} | "
            f"{full_params / params:.1f} | {CLAIMS[pair.arch]} |"
        )
    return "\n".join([*lines, "", f"{sign()}; seeds {', '.join(map(str, SEEDS))}."])


def read_accuracy(run: Path) -> float | None:
    """Percent of the held-out images after the last epoch; none where the training is not done."""
    if not (run / SPEC).exists():
        return None
    summary = read_run(run)
    return 100 * float(summary.metrics[-1]["accuracy"]) if len(summary.metrics) == summary.plan.epochs else None


def count_weights(pair: Pair, arch: str) -> tuple[int, int]:
    """Weights of the layers that differ between the two, and all parameters."""
    from mobisdk.cost import count_spec_cost

    spec = ModelSpec(arch, alpha=pair.alpha, resolution=32, stem_stride=pair.stem_stride, num_classes=10)
    cost = count_spec_cost(spec)
    return sum(layer.weights for layer in cost.layers if layer.name.startswith(pair.layers)), cost.params


def write_network_table(work: Path) -> str:
    """A row an architecture."""
    from mobisdk.cost import count_spec_cost
    from mobisdk.latency.in_memory import analyze_runs
    from mobisdk.latency.store import read_logs
    from mobisdk.report.numbers import format_interval_ms

    logs = [log for log in (work / "latency.jsonl",) if log.exists()]
    medians = {
        group.bundle.arch: format_interval_ms(warm.p50)
        for group in (analyze_runs(read_logs(logs)).groups if logs else ())
        for warm in group.warm
        if warm.p50 is not None
    }
    lines = [
        "| network | ρ | lr | accuracy % | parameters | million multiply-adds | fp32 MB | median ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    trained = {arch: share for arch in list_models() if (share := read_accuracy(work / "networks" / arch)) is not None}
    for arch in sorted(list_models(), key=lambda arch: -trained.get(arch, 0.0)):
        spec = network_spec(arch)
        cost, share, rate = count_spec_cost(spec), "–", "–"
        if arch in trained:
            share, rate = f"{trained[arch]:.1f}", f"{read_run(work / 'networks' / arch).plan.learning_rate:g}"
        lines.append(
            f"| `{arch}` | {spec.resolution} | {rate} | {share} | "
            f"{cost.params:,} | {cost.macs / 1e6:.2f} | {cost.size_bytes / 1e6:.2f} | {medians.get(arch, '–')} |"
        )
    return "\n".join([*lines, "", f"{sign()}; α {ALPHA:g}, stem stride 1, batches of 64, {RECIPE}, one thread."])


def sign() -> str:
    """When, with which command, versions and computer."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "lightning", "executorch"))
    computer = f"{read_cores().physical} cores of {read_device().soc}"
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, `make bench-zoo`, {versions}, {computer}"


if __name__ == "__main__":
    main()
