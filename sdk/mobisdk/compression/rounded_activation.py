"""Activations of few values: what follows a ReLU is rounded to few steps, or to its sign."""

import torch
from torch import Tensor, nn

from mobisdk.compression.result import SkippedLayer
from mobisdk.compression.rounding import binarize, choose_power_of_two, round_straight_through
from mobisdk.compression.technique import Decision

_RANGES = 40
"""That are tried between nothing and the largest activation."""
_SAMPLES = 50_000


class RoundedReLU(nn.Module):
    """max(x, 0), rounded to one of 2**bits multiples of `step`, the first of which is 0.

    The gradient passes between the first and the last. Source: Hubara et al. 2016 (arXiv:1609.07061), section 2.4.
    """

    step: Tensor

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits
        self.register_buffer("step", torch.ones(()))

    def forward(self, features: Tensor) -> Tensor:
        """Cut, and round."""
        return round_straight_through((features / self.step).clamp(0, 2**self.bits - 1)) * self.step


class SignActivation(nn.Module):
    """(N,C,…) → its signs, times the mean magnitude over the channels of each position.

    A 1×1 convolution of it is XNOR-Net's exactly. Under a larger filter each position keeps its own scale, where the
    paper averages them over the filter.

    Source: Rastegari et al. 2016 (arXiv:1603.05279), section 3.2 and equation 11.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Signs, scaled."""
        return binarize(features) * features.abs().mean(1, keepdim=True)


def round_activations_(
    model: nn.Module, bits: int, images: Tensor, *, max_overflow: float | None = None
) -> tuple[dict[str, Decision], list[SkippedLayer]]:
    """Replace each ReLU by a RoundedReLU with the range that errs least on the activations of `images`.

    With `max_overflow` the step is a power of two and at most that share of the activations is out of range.
    """
    found = {name: module for name, module in model.named_modules() if isinstance(module, nn.ReLU | nn.ReLU6)}
    samples: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: samples.update({name: _sample(output)}))
        for name, module in found.items()
    ]
    try:
        model(images)
    finally:
        for hook in hooks:
            hook.remove()
    decisions, skipped = {}, []
    for name in found:
        if name not in samples or not samples[name].any():
            skipped.append(SkippedLayer(name, "it is never active on these images"))
            continue
        rounded = RoundedReLU(bits)
        if max_overflow is None:
            rounded.step.fill_(_choose_step(samples[name], bits))
        else:
            # All of them are positive: a signed number of one bit more has their range.
            rounded.step.copy_(choose_power_of_two(samples[name], bits + 1, max_overflow))
        model.set_submodule(name, rounded)
        decisions[name] = Decision(f"rounded to {bits} bits", {"activation": "rounded", "bits": bits})
    return decisions, skipped


def _sample(output: Tensor) -> Tensor:
    flat = output.detach().flatten()
    return flat[:: max(1, len(flat) // _SAMPLES)].clone()


def _choose_step(samples: Tensor, bits: int) -> float:
    """Of the range that errs least."""
    most = 2**bits - 1
    steps = [float(samples.max()) * part / _RANGES / most for part in range(1, _RANGES + 1)]
    errors = [float(((samples / step).round().clamp(0, most) * step - samples).square().sum()) for step in steps]
    step: float = min(zip(errors, steps, strict=True))[1]
    return step
