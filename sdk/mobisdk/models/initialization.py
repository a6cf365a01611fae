"""The weights that training starts from."""

import math

import torch
from torch import nn

from mobisdk.layers import ConvNormAct
from mobisdk.layers.depthwise import is_depthwise

_DEVIATION = 0.1
"""Of a depthwise filter from the one that changes nothing."""
_BIAS = 1.0
"""In standard deviations of what a norm gives."""


@torch.no_grad()
def initialize_(model: nn.Module) -> None:
    """Draw convolutions after Kaiming (fan out) and the classifier after LeCun, from torch's generator.

    The fan counts what a filter really reaches: a depthwise one feeds k² outputs, not k² times the channels.

    Source: He et al. 2015 (arXiv:1502.01852), section 2.2, the backward case.
    """
    if _is_empty(model):
        return
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * math.prod(module.kernel_size) // module.groups
            module.weight.normal_(0.0, math.sqrt(2.0 / fan_out))
        elif isinstance(module, nn.Linear):
            module.weight.normal_(0.0, math.sqrt(1.0 / module.in_features))
        else:
            continue
        if module.bias is not None:
            module.bias.zero_()


@torch.no_grad()
def begin_nearly_linear_(model: nn.Module) -> None:
    """Make each depthwise filter, with its norm and activation, nearly the identity.

    For a deep chain without residual connections, in which the gradient is noise at first: training begins with one of
    half the depth. The norm's bias is above where most activations would be cut.
    """
    if _is_empty(model):
        return
    for module in model.modules():
        if isinstance(module, ConvNormAct) and is_depthwise(module.conv):
            weight, (rows, columns) = module.conv.weight, module.conv.kernel_size
            weight.mul_(_DEVIATION / math.sqrt(2.0 / (rows * columns)))
            weight[:, :, rows // 2, columns // 2] += 1.0
            module.norm.bias.fill_(_BIAS)


def _is_empty(model: nn.Module) -> bool:
    """There is nothing to draw then, and pretending to takes as long as counting the network's cost."""
    return all(parameter.is_meta for parameter in model.parameters())
