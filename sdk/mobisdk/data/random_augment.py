"""Photographs varied at random, a whole batch at once: each image by two of eight transforms."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_TRANSFORMS = ("rotate", "shear_x", "shear_y", "shift_x", "shift_y", "brightness", "contrast", "saturation")
_EACH = 2
_ROTATION = math.radians(30)
_SHEAR = 0.3
_SHIFT = 0.45
"""Of the image's side."""
_COLOUR = 0.9
"""A factor from 0.1 to 1.9."""


def random_augment(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Vary (N,3,H,W) images in [0,1], each by two different transforms; black comes in from outside.

    `strength` from 0 to 1 is the share of the transforms' full range; each image draws its own amount and sign.

    Source: Cubuk et al. 2019 (arXiv:1909.13719), without the transforms of grey levels that show little on a phone's
    photographs.
    """
    count = len(images)
    order = torch.rand(count, len(_TRANSFORMS), generator=generator).argsort(1)
    amounts = (2 * torch.rand(count, len(_TRANSFORMS), generator=generator) - 1) * strength
    amounts = torch.where(order < _EACH, amounts, 0.0).to(images.device)
    rotate, shear_x, shear_y, shift_x, shift_y, brightness, contrast, saturation = amounts.unbind(1)
    shears, shifts = (shear_x * _SHEAR, shear_y * _SHEAR), (shift_x * _SHIFT, shift_y * _SHIFT)
    turned = _transform(images, rotate * _ROTATION, shears, shifts)
    brightness, contrast, saturation = (
        (1 + _COLOUR * factor).reshape(-1, 1, 1, 1) for factor in (brightness, contrast, saturation)
    )
    bright = turned * brightness
    bright = torch.lerp(bright.mean((1, 2, 3), keepdim=True), bright, contrast)
    return torch.lerp(bright.mean(1, keepdim=True), bright, saturation).clamp_(0, 1)


def _transform(images: Tensor, angle: Tensor, shears: tuple[Tensor, Tensor], shifts: tuple[Tensor, Tensor]) -> Tensor:
    """One affine resampling: rotated by `angle`, sheared and shifted along x and y."""
    cosine, sine = angle.cos(), angle.sin()
    rows = [
        torch.stack((cosine + shears[0] * sine, shears[0] * cosine - sine, 2 * shifts[0]), 1),
        torch.stack((sine + shears[1] * cosine, cosine - shears[1] * sine, 2 * shifts[1]), 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)
