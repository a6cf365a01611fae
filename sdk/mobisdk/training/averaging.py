"""The exponential moving average of the weights: steadier than the last step's, and often more accurate."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

_Tensors = tuple[Tensor, ...] | list[Tensor]


def average_weights(model: nn.Module, decay: float) -> AveragedModel:
    """A copy of `model` that follows it, batch-norm statistics included, at each `update_parameters(model)`.

    The decay grows to `decay` as (1 + n) / (10 + n) over the updates n, so that a short training is not held back by
    the weights that it began with.

    Source: Polyak and Juditsky 1992; the growing decay is that of TensorFlow's ExponentialMovingAverage.
    """

    @torch.no_grad()
    def update(averages: _Tensors, values: _Tensors, updates: Tensor | int) -> None:
        if not averages[0].is_floating_point():
            torch._foreach_copy_(averages, values)  # batch norm's counters
            return
        count = float(updates)
        torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + count) / (10 + count)))

    return AveragedModel(model, multi_avg_fn=update, use_buffers=True)
