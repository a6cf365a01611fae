"""Batches cut from decoded images in memory: no worker processes, and next to no time that the network waits."""

import hashlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mobisdk.data.augmentation import random_crop, random_flip_
from mobisdk.data.decoding import DecodedImages
from mobisdk.specs import InputSpec


class Batch(NamedTuple):
    """What the network is given."""

    images: Tensor
    """(N,3,crop,crop) float32, normalized, in channels_last memory."""
    labels: Tensor
    """(N,) int64."""
    indices: Tensor
    """(N,) int64, on the CPU: which images these are."""


@dataclass(frozen=True)
class Augmentation:
    """How an image is varied from epoch to epoch."""

    padding: int
    """Black pixels around an image before a window is cut out of it at random."""
    flip: bool
    """Mirror every other image."""


class TrainingBatches:
    """One epoch in an order of its own, every image at most once; the last few that fill no batch wait for the next.

    The order follows from `seed` and `epoch` alone, and how a batch is varied from them and its number, so that an
    epoch can be gone on with in its middle.
    """

    def __init__(
        self,
        images: DecodedImages,
        spec: InputSpec,
        augmentation: Augmentation,
        *,
        batch_size: int,
        seed: int,
        epoch: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self._pixels = torch.from_numpy(images.pixels)
        self._labels = torch.from_numpy(images.labels)
        self._spec = spec
        self._augmentation = augmentation
        self.batch_size = min(batch_size, len(self._labels))
        self._seed = seed
        self._epoch = epoch
        self._device = torch.device(device)
        self._given = 0
        """Batches of this epoch that were handed out."""
        self.waited_ns = 0
        """How long the network has waited for batches."""

    def __len__(self) -> int:
        return len(self._labels) // self.batch_size

    def __iter__(self) -> Iterator[Batch]:
        order = torch.randperm(len(self._labels), generator=_generator(self._seed, self._epoch))
        batches = torch.split(order, self.batch_size)
        for step in range(self._given, len(self)):
            start = time.perf_counter_ns()
            batch = self._cut(batches[step], _generator(self._seed, self._epoch, step))
            self.waited_ns += time.perf_counter_ns() - start
            self._given = step + 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Where the epoch is."""
        return {"given": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on behind the batches that were given; behind the last one the epoch begins anew."""
        self._given = state["given"] % len(self)

    def _cut(self, indices: Tensor, generator: torch.Generator) -> Batch:
        images = to_device(self._pixels.index_select(0, indices), self._device)
        images = random_crop(images, self._spec.crop, self._augmentation.padding, generator)
        if self._augmentation.flip:
            random_flip_(images, generator)
        return Batch(normalize(images, self._spec), to_device(self._labels[indices], self._device), indices)


class HeldOutBatches:
    """All images in their order, as the exported network will see them."""

    def __init__(
        self, images: DecodedImages, spec: InputSpec, *, batch_size: int, device: torch.device | str = "cpu"
    ) -> None:
        self._pixels = torch.from_numpy(images.pixels)
        self._labels = torch.from_numpy(images.labels)
        self._spec = spec
        self._batch_size = batch_size
        self._device = torch.device(device)

    def __len__(self) -> int:
        return math.ceil(len(self._labels) / self._batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for indices in torch.split(torch.arange(len(self._labels)), self._batch_size):
            pixels = to_device(self._pixels[indices], self._device)
            yield Batch(normalize(pixels, self._spec), to_device(self._labels[indices], self._device), indices)


def derive_seed(*numbers: int) -> int:
    """A seed of its own for every sequence of numbers: of a training's seed, an epoch, a step."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1  # torch's seeds have a sign


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy to an accelerator without waiting for it; on the CPU the tensor itself."""
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def _generator(*numbers: int) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed(*numbers))


def normalize(images: Tensor, spec: InputSpec) -> Tensor:
    """(N,H,W,3) uint8 to normalized (N,3,H,W) float32 in channels_last memory.

    As the exported graph does: pixel/255, minus the mean, by the standard deviation.
    """
    count, height, width, _ = images.shape
    mean, std = (torch.tensor(values, device=images.device) for values in (spec.mean, spec.std))
    # A whole row at once: three channels alone are too few numbers for a vector unit.
    scale, shift = (1 / (255 * std)).repeat(width), (-mean / std).repeat(width)
    rows = images.reshape(count, height, width * 3).float().mul_(scale).add_(shift)
    return rows.view(count, height, width, 3).permute(0, 3, 1, 2)
