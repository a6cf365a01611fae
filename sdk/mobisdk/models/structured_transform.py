"""LeNet-5 whose dense layer is of low displacement rank.

Source: Sindhwani et al. 2015, "Structured Transforms for Small-Footprint Deep Learning" (arXiv:1510.01722), section 4.
"""

from torch import nn

from mobisdk.layers import ToeplitzLikeLinear
from mobisdk.models.lenet_5 import LeNet5
from mobisdk.specs import ModelSpec


def structured_transform(spec: ModelSpec) -> nn.Module:
    """A Toeplitz-like matrix of rank 4 in place of the dense layer."""
    return LeNet5(spec, ToeplitzLikeLinear)
