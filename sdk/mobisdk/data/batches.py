"""Batches cut from decoded images in memory: no worker processes, and next to no time that the network waits."""

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
    """(N,) int64: which images these are."""


@dataclass(frozen=True)
class Augmentation:
    """How an image is varied from epoch to epoch."""

    padding: int
    """Black pixels around an image before a window is cut out of it at random."""
    flip: bool
    """Mirror every other image."""


class TrainingBatches:
    """One epoch in an order of its own, every image at most once; the last few that fill no batch wait for the next.

    Order and augmentation follow from `seed` alone.
    """

    def __init__(
        self,
        images: DecodedImages,
        spec: InputSpec,
        augmentation: Augmentation,
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        self._pixels = torch.from_numpy(images.pixels)
        self._labels = torch.from_numpy(images.labels)
        self._spec = spec
        self._augmentation = augmentation
        self.batch_size = min(batch_size, len(self._labels))
        self._seed = seed
        self.waited_ns = 0
        """How long the network has waited for batches."""

    def __len__(self) -> int:
        return len(self._labels) // self.batch_size

    def __iter__(self) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(self._seed)
        order = torch.randperm(len(self._labels), generator=generator)
        for indices in torch.split(order, self.batch_size)[: len(self)]:
            start = time.perf_counter_ns()
            batch = self._cut(indices, generator)
            self.waited_ns += time.perf_counter_ns() - start
            yield batch

    def _cut(self, indices: Tensor, generator: torch.Generator) -> Batch:
        images = self._pixels.index_select(0, indices)
        images = random_crop(images, self._spec.crop, self._augmentation.padding, generator)
        if self._augmentation.flip:
            random_flip_(images, generator)
        return Batch(normalize(images, self._spec), self._labels[indices], indices)


class HeldOutBatches:
    """All images in their order, as the exported network will see them."""

    def __init__(self, images: DecodedImages, spec: InputSpec, *, batch_size: int) -> None:
        self._pixels = torch.from_numpy(images.pixels)
        self._labels = torch.from_numpy(images.labels)
        self._spec = spec
        self._batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._labels) / self._batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for indices in torch.split(torch.arange(len(self._labels)), self._batch_size):
            yield Batch(normalize(self._pixels[indices], self._spec), self._labels[indices], indices)


def normalize(images: Tensor, spec: InputSpec) -> Tensor:
    """(N,H,W,3) uint8 to normalized (N,3,H,W) float32 in channels_last memory.

    As the exported graph does: pixel/255, minus the mean, by the standard deviation.
    """
    count, height, width, _ = images.shape
    mean, std = torch.tensor(spec.mean), torch.tensor(spec.std)
    # A whole row at once: three channels alone are too few numbers for a vector unit.
    scale, shift = (1 / (255 * std)).repeat(width), (-mean / std).repeat(width)
    rows = images.reshape(count, height, width * 3).float().mul_(scale).add_(shift)
    return rows.view(count, height, width, 3).permute(0, 3, 1, 2)
