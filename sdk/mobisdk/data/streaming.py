"""A split that is too large to keep decoded: images are read and decoded while the network trains."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mobisdk.data.dataset import ImageRef
from mobisdk.data.decoding import decode_one
from mobisdk.errors import DataError
from mobisdk.specs import InputSpec

_BATCHES_AHEAD = 3
GROUPS_AT_ONCE = 4
"""Shards or row groups whose images are shuffled together: the more, the better mixed, and the more is in memory."""


class StreamedImages:
    """A split whose images are read in batches: a few are in memory at a time, and the row groups they come from."""

    def __init__(self, images: Sequence[ImageRef], spec: InputSpec, *, skip_broken: bool) -> None:
        self._images = images
        self._spec = spec
        self._skip_broken = skip_broken
        self.labels: NDArray[np.int64] = np.array([image.label for image in images], np.int64)
        self.names = tuple(image.name for image in images)
        self._broken: dict[str, None] = {}

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of the images that were left out so far."""
        return tuple(self._broken)

    def order(self, generator: torch.Generator) -> Tensor:
        """Every index once: the groups in a random order, and the images of a few of them mixed."""
        members: dict[str, list[int]] = {}
        for index, image in enumerate(self._images):
            members.setdefault(image.group, []).append(index)
        groups = list(members.values())
        shuffled = torch.randperm(len(groups), generator=generator).tolist()
        windows = [
            torch.tensor([index for group in shuffled[start : start + GROUPS_AT_ONCE] for index in groups[group]])
            for start in range(0, len(groups), GROUPS_AT_ONCE)
        ]
        return torch.cat([window[torch.randperm(len(window), generator=generator)] for window in windows])

    def stream(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Decode batch after batch, ahead of who asks: the indices of its images, and (n,crop,crop,3) uint8.

        Raises:
            DataError: an image is broken and not to be skipped, or all of a batch are.
        """
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            ahead: deque[tuple[Tensor, list[Future[NDArray[np.uint8] | None]]]] = deque()
            coming = iter(batches)
            try:
                while True:
                    while len(ahead) < _BATCHES_AHEAD and (indices := next(coming, None)) is not None:
                        ahead.append((indices, [pool.submit(self._decode, index) for index in indices.tolist()]))
                    if not ahead:
                        return
                    indices, futures = ahead.popleft()
                    yield self._gather(indices, [future.result() for future in futures])
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _decode(self, index: int) -> NDArray[np.uint8] | None:
        image = self._images[index]
        return decode_one(image, self._spec, skip_broken=self._skip_broken)

    def _gather(self, indices: Tensor, decoded: Sequence[NDArray[np.uint8] | None]) -> tuple[Tensor, Tensor]:
        kept = [pixels for pixels in decoded if pixels is not None]
        if len(kept) < len(decoded):
            whole = torch.tensor([pixels is not None for pixels in decoded])
            self._broken.update(dict.fromkeys(self.names[index] for index in indices[~whole].tolist()))
            if not kept:
                raise DataError("every image of a batch is broken", got=self.names[int(indices[0])])
            indices = indices[whole]
        return indices, torch.from_numpy(np.stack(kept))
