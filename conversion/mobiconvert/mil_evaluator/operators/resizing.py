"""Images of another size, by the points of the old grid that the new pixels lie on."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

SamplingMode = Literal["DEFAULT", "STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "OFFSET_CORNERS", "UNALIGN_CORNERS"]


def resize_bilinear(
    x: Tensor, target_size_height: int = 1, target_size_width: int = 1, sampling_mode: SamplingMode = "DEFAULT"
) -> Tensor:
    """(*D,H,W) to that size, linear between the four neighbours of each point."""
    x = _interpolate(x, -2, _points(x.shape[-2], target_size_height, sampling_mode))
    return _interpolate(x, -1, _points(x.shape[-1], target_size_width, sampling_mode))


def upsample_bilinear(
    x: Tensor,
    scale_factor_height: float = 1.0,
    scale_factor_width: float = 1.0,
    align_corners: bool = True,
    half_pixel_centers: bool | None = None,
) -> Tensor:
    """(*D,H,W) times the factors, rounded down; corners on corners, or pixels' centres at halves, or neither."""
    height, width = int(x.shape[-2] * scale_factor_height), int(x.shape[-1] * scale_factor_width)
    if half_pixel_centers is None:
        half_pixel_centers = not align_corners
    if align_corners and half_pixel_centers:
        raise ValueError("corners cannot be aligned where pixels' centres are")
    mode: SamplingMode = "DEFAULT"
    if align_corners:
        mode = "STRICT_ALIGN_CORNERS"
    elif half_pixel_centers:
        mode = "UNALIGN_CORNERS"
    return resize_bilinear(x, height, width, mode)


def resize_nearest_neighbor(x: Tensor, target_size_height: int, target_size_width: int) -> Tensor:
    """(*D,H,W) to that size, each pixel that of its point rounded down."""
    for axis, size in ((-2, target_size_height), (-1, target_size_width)):
        x = x.index_select(axis, torch.arange(size) * x.shape[axis] // size)
    return x


def upsample_nearest_neighbor(x: Tensor, scale_factor_height: float = 1.0, scale_factor_width: float = 1.0) -> Tensor:
    """(*D,H,W) times the factors, rounded down, each pixel that of its point rounded down."""
    return resize_nearest_neighbor(x, int(x.shape[-2] * scale_factor_height), int(x.shape[-1] * scale_factor_width))


def resize(
    x: Tensor,
    shape: tuple[int, ...],
    resized_dims: int,
    interpolation_mode: Literal["LINEAR", "NEAREST_NEIGHBOR"] = "LINEAR",
    sampling_mode: SamplingMode = "DEFAULT",
) -> Tensor:
    """The last `resized_dims` dimensions to the last ones of `shape`; 0 keeps a dimension."""
    if interpolation_mode == "NEAREST_NEIGHBOR" and sampling_mode != "DEFAULT":
        raise ValueError(f"the nearest neighbour of a point is known for sampling mode DEFAULT, not {sampling_mode}")
    for axis in range(-resized_dims, 0):
        size = shape[axis] or x.shape[axis]
        if interpolation_mode == "LINEAR":
            x = _interpolate(x, axis, _points(x.shape[axis], size, sampling_mode))
        else:
            x = x.index_select(axis, torch.arange(size) * x.shape[axis] // size)
    return x


def resample(
    x: Tensor,
    coordinates: Tensor,
    sampling_mode: Literal["bilinear", "nearest"],
    padding_mode: Literal["constant", "border"],
    padding_value: float,
    coordinates_mode: Literal["normalized_minus_one_to_one"],  # noqa: ARG001  (torch's own grid, the one it makes)
    align_corners: bool,
) -> Tensor:
    """(N,C,H,W) at the points (N,H',W',2), each x before y, from -1 to 1."""
    if padding_mode == "constant" and padding_value != 0:
        raise ValueError(f"what lies outside is {padding_value}, not 0")
    outside = "zeros" if padding_mode == "constant" else "border"
    return F.grid_sample(x, coordinates, sampling_mode, outside, align_corners)


def _points(size: int, target: int, mode: SamplingMode) -> Tensor:
    """Where the `target` new pixels lie among the `size` old ones.

    Source: coremltools, converters/mil/mil/ops/defs/iOS15/image_resizing.py, resize_bilinear.
    """
    places = torch.arange(target, dtype=torch.float64)
    if mode == "DEFAULT":
        points = places * (size / target)
    elif mode == "UNALIGN_CORNERS":
        points = (places + 0.5) * (size / target) - 0.5
    elif mode == "OFFSET_CORNERS":
        points = (places + 0.5) * (max(1, size - 1) / target)
    elif target > 1:
        points = places * ((size - 1) / (target - 1))
    else:
        points = places + ((size - 1) / 2 if mode == "ALIGN_CORNERS" else 0)
    return points.clamp(0, size - 1)


def _interpolate(x: Tensor, axis: int, points: Tensor) -> Tensor:
    before = points.floor().long()
    after = (before + 1).clamp(max=x.shape[axis] - 1)
    share = (points - before).to(x.dtype).reshape(-1, *[1] * (-axis - 1))
    return torch.lerp(x.index_select(axis, before), x.index_select(axis, after), share)


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "resample": resample,
    "resize": resize,
    "resize_bilinear": resize_bilinear,
    "resize_nearest_neighbor": resize_nearest_neighbor,
    "upsample_bilinear": upsample_bilinear,
    "upsample_nearest_neighbor": upsample_nearest_neighbor,
}
