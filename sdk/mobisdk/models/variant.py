"""The details in which publishers of weights differ from an architecture's paper."""

import torch.nn.functional as F
from torch import Tensor, nn

from mobisdk.layers.standing_in import stand_in
from mobisdk.specs import ModelSpec

_ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6}


class SamePadConv2d(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding: ⌈H/stride⌉ rows out, an odd zero behind the last row.

    Source: TensorFlow, `tf.nn.convolution`, "SAME" padding.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Pad by the map's size, and convolve."""
        pads: list[int] = []
        for size, kernel, stride in zip(features.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [missing // 2, missing - missing // 2]
        return F.conv2d(F.pad(features, pads), self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def vary_(model: nn.Module, spec: ModelSpec) -> None:
    """Give `model` the spec's padding, activation and epsilon, with the same parameters under the same names."""
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.BatchNorm2d) and spec.norm_epsilon is not None:
            module.eps = spec.norm_epsilon
        elif isinstance(module, nn.ReLU | nn.ReLU6) and spec.activation is not None:
            model.set_submodule(name, _ACTIVATIONS[spec.activation](inplace=module.inplace))
        elif isinstance(module, nn.Conv2d) and spec.padding == "same" and max(module.stride) > 1 and _is_padded(module):
            model.set_submodule(name, stand_in(module, SamePadConv2d, 0))


def _is_padded(convolution: nn.Conv2d) -> bool:
    return any(convolution.padding)
