"""The classifier of a trained network, exchanged for one of other classes."""

import math

import torch
from torch import nn

from mobisdk.errors import UnsupportedError


@torch.no_grad()
def replace_head_(model: nn.Module, num_classes: int) -> None:
    """Put a new classifier of `num_classes` in place of the old one, and of an auxiliary head's; all else stays.

    The new weights are drawn as a fresh network's, after LeCun, from torch's generator.

    Raises:
        UnsupportedError: the classifier is no plain layer any more, as after a compression that takes it apart.
    """
    heads = _find_heads(model)
    if not heads:
        raise UnsupportedError("the network has no classifier to replace", got=type(model).__name__)
    for name, head in heads.items():
        replacement: nn.Linear | nn.Conv2d
        if type(head) is nn.Linear:
            replacement = nn.Linear(head.in_features, num_classes, bias=head.bias is not None)
            fan_in = head.in_features
        elif type(head) is nn.Conv2d:
            replacement = nn.Conv2d(head.in_channels, num_classes, 1, bias=head.bias is not None)
            fan_in = head.in_channels
        else:
            raise UnsupportedError(
                f"the head {name} cannot be replaced",
                got=type(head).__name__,
                allowed="a dense layer, a 1×1 convolution",
                hint="Replace it before the network is compressed",
            )
        replacement.weight.normal_(0.0, math.sqrt(1.0 / fan_in))
        if head.bias is not None and replacement.bias is not None:
            # The mean of what was there: zero or so, but one or so where a ReLU follows, as in SqueezeNet.
            replacement.bias.fill_(float(head.bias.mean()))
        model.set_submodule(name, replacement)


def freeze_all_but_heads_(model: nn.Module) -> None:
    """Let only the classifier, and an auxiliary head's, go on learning: batch norms keep their statistics too."""
    model.requires_grad_(requires_grad=False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    for head in _find_heads(model).values():
        head.requires_grad_()


def _find_heads(model: nn.Module) -> dict[str, nn.Module]:
    return {name: module for name, module in model.named_modules() if name.endswith("classifier")}
