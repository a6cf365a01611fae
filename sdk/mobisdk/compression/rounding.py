"""Weights of few values, differentiated straight through."""

import math

import torch
from torch import Tensor

# Of the uniform quantizer with 2**bits levels that errs least on a normal distribution, in standard deviations.
# Source: Max 1960, "Quantizing for Minimum Distortion", IRE Transactions on Information Theory 6(1), table II.
_NORMAL_STEPS = {1: 1.596, 2: 0.9957, 3: 0.5860, 4: 0.3352, 5: 0.1881, 6: 0.1041}


def binarize(weight: Tensor) -> Tensor:
    """The signs, as ±1; a zero is +1. The gradient passes where |w| ≤ 1.

    Source: Courbariaux et al. 2015 (arXiv:1511.00363), section 2.3; Rastegari et al. 2016 (arXiv:1603.05279), section
    3.1: ∂sign/∂r = r·1(|r| ≤ 1).
    """
    ones = torch.ones_like(weight)
    signs = torch.where(weight < 0, -ones, ones)
    return _pass_through(signs, weight, weight.abs() <= 1)


def scale_binary(weight: Tensor) -> Tensor:
    """(out, …) → α·sign(W), α the mean magnitude of each output's filter: the nearest of all scaled signs.

    Source: Rastegari et al. 2016 (arXiv:1603.05279), equations 5 and 6. The gradient is that of the product, α's part
    included.
    """
    return binarize(weight) * _mean_by_output(weight.abs())


def round_to_levels(weight: Tensor, bits: int) -> Tensor:
    """(out, …) → the nearest of 2**bits levels ±s, ±3s, ±5s …, with the scale of each output that fits its levels best.

    The levels are those of DoReFa, which are ±1 for one bit; the scale is XNOR-Net's for more than two of them: the
    least squares for the levels that a normal distribution would have. The gradient passes within the outer levels.

    Source: Hubara et al. 2016 (arXiv:1609.07061), section 2.4; Zhou et al. 2016 (arXiv:1606.06160), equation 9.
    """
    if bits == 1:
        return scale_binary(weight)
    half_step, largest = _half_step(weight, bits), 2**bits - 1
    scaled = weight / half_step
    levels = _pass_through(choose_levels(weight, bits), scaled, scaled.detach().abs() <= largest + 1)
    fixed = levels.detach()
    scale = _mean_by_output(fixed * weight) / _mean_by_output(fixed.square())
    return levels * scale


def choose_levels(weight: Tensor, bits: int) -> Tensor:
    """The level of each weight, an odd number from 1 - 2**bits to 2**bits - 1."""
    if bits == 1:
        return binarize(weight.detach())
    largest = 2**bits - 1
    return (2 * (weight.detach() / _half_step(weight, bits) / 2).floor() + 1).clamp(-largest, largest)


def _half_step(weight: Tensor, bits: int) -> Tensor:
    """Of the levels that a normal distribution would have."""
    deviation = _mean_by_output(weight.detach().square()).sqrt()
    return (_NORMAL_STEPS[bits] / 2 * deviation).clamp(min=torch.finfo(weight.dtype).tiny)


def round_to_fixed_point(values: Tensor, bits: int, step: Tensor) -> Tensor:
    """The nearest multiples of `step` that a signed number of `bits` holds. The gradient passes where none overflows.

    Source: Courbariaux et al. 2014 (arXiv:1412.7024), section 4.
    """
    limit = 2 ** (bits - 1)
    return round_straight_through(values / step).clamp(-limit, limit - 1) * step


def round_straight_through(values: Tensor) -> Tensor:
    """Whole numbers; the gradient passes."""
    return values.detach().round() + (values - values.detach())


def choose_power_of_two(values: Tensor, bits: int, max_overflow: float) -> Tensor:
    """The smallest power of two with which at most a share `max_overflow` of the values is out of range.

    It is where the paper's rule comes to rest: doubled where more overflow, halved where half the range would do.

    Source: Courbariaux et al. 2014 (arXiv:1412.7024), section 5.
    """
    allowed = math.floor(max_overflow * values.numel())
    largest = values.detach().abs().flatten().topk(allowed + 1).values[-1]
    least = torch.finfo(values.dtype).tiny * 2**bits  # of nothing but zeros
    mantissa, exponent = torch.frexp(largest.clamp(min=least) / (2 ** (bits - 1) - 1))
    return torch.ldexp(torch.ones_like(largest), exponent - (mantissa == 0.5).to(exponent.dtype))


def _pass_through(rounded: Tensor, values: Tensor, passes: Tensor) -> Tensor:
    """`rounded`, with the gradient of `values` where it passes."""
    # Not `.to(values)`, which torch.export guards by an operator that Core ML lacks.
    kept = torch.where(passes, values, torch.zeros_like(values))
    return rounded.detach() + (kept - kept.detach())  # the second is 0, exactly


def _mean_by_output(weight: Tensor) -> Tensor:
    return weight.mean(dim=tuple(range(1, weight.dim())), keepdim=True)
