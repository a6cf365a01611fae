"""What a layer multiplies its filters with."""

import torch.nn.functional as F
from torch import Tensor, nn

from mobisdk.models.variant import SamePadConv2d


def unfold_inputs(layer: nn.Module, features: Tensor) -> Tensor | None:
    """(positions, in · kernel): what each position of a layer's output is computed from.

    None of a layer that is neither dense nor a convolution, or whose padding is its own.
    """
    if isinstance(layer, nn.Linear):
        return features.flatten(0, -2)
    if not isinstance(layer, nn.Conv2d) or isinstance(layer, SamePadConv2d) or isinstance(layer.padding, str):
        return None
    if layer.padding_mode != "zeros":
        return None
    columns = F.unfold(features, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
    return columns.transpose(1, 2).flatten(0, 1)
