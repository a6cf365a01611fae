"""Techniques on networks that digits train: what is measured of each."""

import copy
import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from digits_halves import Cell, Digits, fit, load_digits, train_mobilenet, train_once
from torch import Tensor, nn

from mobisdk.compression import CompressionResult, TechniqueConfig, compress_
from mobisdk.compression.channel_pruning import ChannelPruningConfig
from mobisdk.compression.deep_compression import DeepCompressionConfig
from mobisdk.compression.hashing import HashingConfig
from mobisdk.compression.magnitude_pruning import MagnitudePruningConfig
from mobisdk.compression.packed_checkpoint import read_packed, write_packed
from mobisdk.compression.product_quantization import ProductQuantizationConfig
from mobisdk.cost import count_cost
from mobisdk.layers.parametrized import without_parametrizations
from mobisdk.models.checkpoint import Checkpoint
from mobisdk.specs import InputSpec, ModelSpec

_LOOKED_AT = 64
"""Training images that techniques look at."""
_HEADER = ModelSpec("lenet_5", 1.0, 32, 10)
"""A packed file names an architecture; the LeNets are built here, for 28×28."""
_LENET_RATE, _LENET_BATCH = 2e-3, 64
V1 = ModelSpec("mobilenet_v1", 1.0, 32, 10)
V1_NARROW = ModelSpec("mobilenet_v1", 0.7, 32, 10)
V1_HALF = ModelSpec("mobilenet_v1", 0.5, 32, 10)
FULL_CONVOLUTION = ModelSpec("mobilenet_v1_full_conv", 0.25, 32, 10)
Result = dict[str, float]


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


def fit_lenet(network: nn.Module, digits: Digits, *, epochs: int, rate: float = _LENET_RATE, seed: int) -> None:
    """AdamW, a fifth of the steps to the highest rate and a cosine from it; images are shifted by up to two pixels.

    The product's own loop takes no network of 28×28.
    """
    images, labels = digits.look(len(digits.train.labels)), torch.from_numpy(digits.train.labels)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-4)
    batches = len(images) // _LENET_BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * batches + 1, pct_start=0.2)
    network.train()
    for _ in range(epochs):
        for places in torch.randperm(len(images), generator=generator).split(_LENET_BATCH)[:batches]:
            down, right = torch.randint(-2, 3, (2,), generator=generator).tolist()
            loss = F.cross_entropy(network(images[places].roll((down, right), (2, 3))), labels[places])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()


def train_lenet(cell: Cell, digits: Digits, build: Callable[[], nn.Module], epochs: int, name: str = "") -> nn.Module:
    def train(network: nn.Module) -> None:
        fit_lenet(network, digits, epochs=epochs, seed=cell.own_seed)

    return train_once(cell, digits, f"{name or build.__name__}-{epochs}", build, train)


def count_bytes(network: nn.Module) -> int:
    return 4 * sum(parameter.numel() for parameter in network.parameters())


@dataclasses.dataclass(frozen=True)
class Pruning:
    """What comes before the clusters of Deep Compression."""

    layers: tuple[str, ...]
    sparsities: tuple[float, ...]


def deep_compression(
    network: nn.Module, digits: Digits, spec: ModelSpec, pruning: Pruning, tune: Callable[[float, float], None]
) -> Result:
    """Prune in steps, share, pack, and measure what the packed file holds. `tune` takes shares of epochs and rate."""
    before, dense_bytes, look = digits.accuracy(network), count_bytes(network), digits.look(2)
    for sparsity in pruning.sparsities:
        compress_(network, MagnitudePruningConfig(sparsity=sparsity, layers=pruning.layers), images=look)
        tune(1, 1 / 2)
    after_pruning = digits.accuracy(network)
    record = compress_(network, DeepCompressionConfig(convolution_bits=5, dense_bits=5), images=look).record
    tune(1 / 3, 1 / 10)
    checkpoint = Checkpoint(spec, InputSpec(spec.resolution, spec.resolution), digits.dataset.classes, (record,))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.mdc"
        write_packed(path, checkpoint, network.state_dict())
        _, state, sizes = read_packed(path)
        packed = path.stat().st_size
    network.load_state_dict(state)
    paper_bytes = sum(size.paper_bytes for size in sizes) + dense_bytes - 4 * sum(size.elements for size in sizes)
    return {
        "before": before,
        "pruned": after_pruning,
        "after": digits.accuracy(network),
        "times_smaller": dense_bytes / packed,
        "paper_times_smaller": dense_bytes / paper_bytes,
    }


def _deep_compression_lenet(cell: Cell, build: Callable[[], nn.Module], epochs: int, layers: tuple[str, ...]) -> Result:
    digits = load_digits(cell, 28)
    network = train_lenet(cell, digits, build, epochs)

    def tune(share: float, rate: float) -> None:
        fit_lenet(
            network, digits, epochs=max(4, round(epochs * share)), rate=_LENET_RATE * rate, seed=cell.own_seed + 100
        )

    return deep_compression(network, digits, _HEADER, Pruning(layers, (0.8, 0.92)), tune)


def deep_compression_lenet_300_100(cell: Cell) -> Result:
    return _deep_compression_lenet(cell, LeNet300100, 20, ("first", "second"))


def deep_compression_lenet_5(cell: Cell) -> Result:
    return _deep_compression_lenet(cell, LeNet5, 12, ("second", "hidden"))


def deep_compression_mobilenet(cell: Cell) -> Result:
    digits = load_digits(cell)
    network = train_mobilenet(cell, digits, V1_HALF, 20)
    teacher = copy.deepcopy(network)
    layers = tuple(
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and module.groups == 1 and module.in_channels > 3
    )

    def tune(share: float, rate: float) -> None:
        fit(
            network,
            digits,
            epochs=max(4, round(8 * share)),
            rate=0.1 * rate,
            seed=cell.own_seed + 100,
            teacher=teacher,
        )

    return deep_compression(network, digits, V1_HALF, Pruning(layers, (0.75,)), tune)


def compress_and_tune(
    cell: Cell, digits: Digits, network: nn.Module, configs: Sequence[TechniqueConfig], *, epochs: int, rate: float
) -> tuple[nn.Module, CompressionResult]:
    """A compressed copy, fine-tuned behind each technique by the network as it was."""
    compressed = copy.deepcopy(network)
    for config in configs:
        result = compress_(compressed, config, images=digits.look(_LOOKED_AT))
        fit(compressed, digits, epochs=epochs, rate=rate, seed=cell.own_seed + 100, teacher=network)
    return compressed.eval(), result


def _technique(
    cell: Cell,
    spec: ModelSpec,
    trained: int,
    configs: Sequence[TechniqueConfig],
    *,
    epochs: int,
    rate: float = 0.03,
) -> tuple[Result, nn.Module, Digits]:
    digits = load_digits(cell)
    network = train_mobilenet(cell, digits, spec, trained)
    compressed, result = compress_and_tune(cell, digits, network, configs, epochs=epochs, rate=rate)
    figures: Result = {
        "before": digits.accuracy(network),
        "after": digits.accuracy(compressed),
        "macs_times_fewer": result.macs_before / result.macs_after,
        "times_smaller": count_bytes(network) / result.size_bytes_after,
    }
    return figures, compressed, digits


def measure(spec: ModelSpec, trained: int, *configs: TechniqueConfig, **tuning: Any) -> Callable[[Cell], Result]:
    """A case of one technique, or of several one after the other."""
    return lambda cell: _technique(cell, spec, trained, configs, **tuning)[0]


def channel_pruning(cell: Cell) -> Result:
    """Beside a narrower network of as many multiply-adds that was trained for as many epochs altogether."""
    trained, tuned = 20, 8
    figures, compressed, digits = _technique(cell, V1, trained, (ChannelPruningConfig(keep=0.7),), epochs=tuned)
    narrow = train_mobilenet(cell, digits, V1_NARROW, trained + tuned)
    macs = [count_cost(each, (1, 3, V1.resolution, V1.resolution)).macs for each in (compressed, narrow)]
    return {**figures, "narrow": digits.accuracy(narrow), "macs_of_narrow": macs[0] / macs[1]}


def product_quantization(cell: Cell) -> Result:
    digits = load_digits(cell)
    network = train_mobilenet(cell, digits, FULL_CONVOLUTION, 16)
    config = ProductQuantizationConfig()
    compressed, result = compress_and_tune(cell, digits, network, (config,), epochs=6, rate=0.01)
    bits = {change.name: change.bits_per_weight for change in result.changed}
    sizes = {
        name: module.weight.numel()
        for name, module in without_parametrizations(compressed).named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }
    small = sum(size * bits.get(name, 32) for name, size in sizes.items())
    return {
        "before": digits.accuracy(network),
        "after": digits.accuracy(compressed),
        "times_smaller": 32 * sum(sizes.values()) / small,
    }


def hashing(cell: Cell) -> Result:
    """Beside a dense network of as many parameters and the same depth, each width by one factor."""
    digits = load_digits(cell, 28)
    network = train_lenet(cell, digits, LeNet300100, 30)
    before = digits.accuracy(network)
    compress_(network, HashingConfig(share=1 / 8), images=digits.look(2))
    fit_lenet(network, digits, epochs=60, seed=cell.own_seed + 100)
    numbers = sum(parameter.numel() for parameter in network.parameters())
    width = next(width for width in range(10, 300) if 785 * width + (width + 11) * max(1, width // 3) + 10 >= numbers)
    small = train_lenet(cell, digits, lambda: LeNet300100(width, max(1, width // 3)), 90, "equal")
    return {
        "before": before,
        "after": digits.accuracy(network),
        "equal": digits.accuracy(small),
        "params_of_equal": numbers / sum(parameter.numel() for parameter in small.parameters()),
    }
