"""Batches cut from decoded images in memory: no worker processes, and next to no time that the network waits."""

import hashlib
import math
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from mobisdk.data.augmentation import Draws, random_crop, random_flip_
from mobisdk.data.decoding import DecodedImages
from mobisdk.data.random_augment import random_augment
from mobisdk.data.streaming import StreamedImages
from mobisdk.specs import InputSpec

TrainingImages: TypeAlias = DecodedImages | StreamedImages


class Batch(NamedTuple):
    """What the network is given."""

    images: Tensor
    """(N,3,crop,crop) float32, normalized, in channels_last memory."""
    labels: Tensor
    """(N,) int64."""
    indices: Tensor
    """(N,) int64, on the CPU: which images these are."""
    mixed_labels: Tensor | None = None
    """(N,) int64: of the images that are mixed into these, where any are."""
    share: float = 1.0
    """Of `labels` in the images, at least a half."""


@dataclass(frozen=True)
class Augmentation:
    """How an image is varied from epoch to epoch."""

    padding: int
    """Black pixels around an image before a window is cut out of it at random."""
    flip: bool
    """Mirror every other image."""
    random_augment: float = 0.0
    """Strength of `random_augment`, 0 for none."""
    mixup: float = 0.0
    """Parameter of the beta distribution that images are mixed by, 0 for none.

    Source: Zhang et al. 2017 (arXiv:1710.09412).
    """


class TrainingBatches:
    """One epoch in an order of its own, every image at most once; the last few that fill no batch wait for the next.

    The order follows from `seed` and `epoch` alone, and how a batch is varied from them and its number, so that an
    epoch can be gone on with in its middle. One of several processes is given its `part` of each batch: together they
    see what one process would.
    """

    def __init__(
        self,
        images: TrainingImages,
        spec: InputSpec,
        augmentation: Augmentation,
        *,
        batch_size: int,
        seed: int,
        epoch: int = 0,
        resolution: int | None = None,
        device: torch.device | str = "cpu",
        part: slice = slice(None),
    ) -> None:
        self._images = images
        self._labels = torch.from_numpy(images.labels)
        self._spec = spec
        self._augmentation = augmentation
        processes = part.step or 1
        self.batch_size = min(batch_size, len(self._labels) // processes * processes)
        """Of all processes together."""
        self._part = part
        self._seed = seed
        self._epoch = epoch
        self._resolution = resolution or spec.crop
        """What crops are shrunk to: an epoch of smaller images is a quicker one."""
        self._device = torch.device(device)
        self._given = 0
        """Batches of this epoch that were handed out."""
        self.waited_ns = 0
        """How long the network has waited for batches."""

    def __len__(self) -> int:
        return len(self._labels) // self.batch_size

    def __iter__(self) -> Iterator[Batch]:
        read = self._read()

        def make(step: int) -> Batch:
            size, indices, pixels = next(read)
            return self._cut(indices, pixels, Draws(_generator(self._seed, self._epoch, step), size, self._part))

        # The next batch is cut while the network learns from this one.
        with ThreadPoolExecutor(1, "batch", torch.set_num_threads, (1,)) as thread:
            coming = thread.submit(make, self._given)
            for step in range(self._given, len(self)):
                start = time.perf_counter_ns()
                batch = coming.result()
                self.waited_ns += time.perf_counter_ns() - start
                if step + 1 < len(self):
                    coming = thread.submit(make, step + 1)
                self._given = step + 1
                yield batch

    def _read(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Of each batch still to come: how many images all processes have; this one's indices and pixels."""
        generator, images = _generator(self._seed, self._epoch), self._images
        if isinstance(images, StreamedImages):
            order = images.order(generator)
            whole = images.stream(torch.split(order, self.batch_size)[self._given : len(self)])
            return ((len(indices), indices[self._part], pixels[self._part]) for indices, pixels in whole)
        pixels = torch.from_numpy(images.pixels)
        order = torch.randperm(len(self._labels), generator=generator)
        batches = torch.split(order, self.batch_size)[self._given : len(self)]
        parts = (indices[self._part] for indices in batches)
        return ((self.batch_size, indices, pixels.index_select(0, indices)) for indices in parts)

    def state_dict(self) -> dict[str, int]:
        """Where the epoch is."""
        return {"given": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on behind the batches that were given; behind the last one the epoch begins anew."""
        self._given = state["given"] % len(self)

    def _cut(self, indices: Tensor, pixels: Tensor, draws: Draws) -> Batch:
        images = to_device(pixels, self._device)
        images = random_crop(images, self._spec.crop, self._augmentation.padding, draws)
        if self._augmentation.flip:
            random_flip_(images, draws)
        generator = draws.generator  # what follows varies a process's part by itself
        labels = to_device(self._labels[indices], self._device)
        normalized = normalize(images, self._spec)
        if self._augmentation.random_augment:
            normalized = self._vary(normalized, generator)
        normalized = resize(normalized, self._resolution).contiguous(memory_format=torch.channels_last)
        if not self._augmentation.mixup:
            return Batch(normalized, labels, indices)
        parameter = self._augmentation.mixup
        share = random.Random(generator.initial_seed()).betavariate(parameter, parameter)  # noqa: S311, no secret
        share = max(share, 1 - share)
        partners = torch.randperm(len(indices), generator=generator).to(self._device)
        return Batch(torch.lerp(normalized[partners], normalized, share), labels, indices, labels[partners], share)

    def _vary(self, images: Tensor, generator: torch.Generator) -> Tensor:
        mean, std = (torch.tensor(values, device=images.device) for values in (self._spec.mean, self._spec.std))
        mean, std = mean[:, None, None], std[:, None, None]
        varied = random_augment(images * std + mean, self._augmentation.random_augment, generator)
        return (varied - mean) / std


class HeldOutBatches:
    """All images in their order, as the exported network will see them; or one process's part of them."""

    def __init__(
        self,
        images: DecodedImages,
        spec: InputSpec,
        *,
        batch_size: int,
        device: torch.device | str = "cpu",
        part: slice = slice(None),
    ) -> None:
        self._pixels = torch.from_numpy(images.pixels)
        self._labels = torch.from_numpy(images.labels)
        self._spec = spec
        self._indices = torch.arange(len(self._labels))[part]
        self._batch_size = batch_size
        self._device = torch.device(device)

    def __len__(self) -> int:
        return math.ceil(len(self._indices) / self._batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for indices in torch.split(self._indices, self._batch_size):
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


def resize(images: Tensor, resolution: int) -> Tensor:
    """(N,3,H,W) as if the photographs had been shown at another resolution."""
    if images.shape[-1] == resolution:
        return images
    smaller = F.interpolate(images, (resolution, resolution), mode="bilinear", antialias=True)
    return smaller.contiguous(memory_format=torch.channels_last)
