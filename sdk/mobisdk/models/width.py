"""The width multiplier: how α turns an architecture's channels into whole numbers."""

import math
from collections.abc import Iterable, Sequence

from mobisdk.errors import ConfigError
from mobisdk.specs import ModelSpec

# 0.29 × 100 is 28.999999999999996 in floating point, and means 29.
_ROUNDING_ERROR = 1e-9


def scale_widths(channels: Sequence[int], spec: ModelSpec, divisor: int = 1) -> list[int]:
    """Multiply every layer's channels by α, rounded as `spec.width_divisor` says, and at least as the family does.

    1 rounds down, as MobileNetV1's paper does. Any other takes the nearest multiple, never below 90 % of what α asks
    for. `divisor` is the family's own, where it has one.

    Raises:
        ConfigError: α leaves a layer without a channel.

    Source: Howard et al. 2017 (arXiv:1704.04861), section 3.3; `make_divisible` of MobileNetV2's reference code.
    """
    divisor = max(divisor, spec.width_divisor)
    if divisor > 1:
        return [nearest_multiple(spec.alpha * width, divisor) for width in channels]
    widths = [math.floor(spec.alpha * width + _ROUNDING_ERROR) for width in channels]
    if min(widths) < 1:
        least = math.ceil(1e6 / min(channels)) / 1e6
        raise ConfigError(
            "alpha leaves a layer without a channel", got=spec.alpha, allowed=f"{least:g} ≤ alpha ≤ 2 for {spec.arch}"
        )
    return widths


def tabulate_widths(channels: Iterable[int], spec: ModelSpec, divisor: int = 1) -> dict[int, int]:
    """Map each of these channel counts to α times as many; see `scale_widths`."""
    distinct = sorted(set(channels))
    return dict(zip(distinct, scale_widths(distinct, spec, divisor), strict=True))


def nearest_multiple(width: float, divisor: int) -> int:
    """The nearest multiple of `divisor`, at least one, and never below 90 % of `width`."""
    nearest = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * width else nearest + divisor
