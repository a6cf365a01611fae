"""A deep fried convnet: LeNet-5 whose dense layer is adaptive fastfood.

Source: Yang et al. 2014, "Deep Fried Convnets" (arXiv:1412.7149), section 6.1.
"""

from torch import nn

from mobisdk.layers import FastfoodLinear
from mobisdk.models.lenet_5 import LeNet5
from mobisdk.specs import ModelSpec


def deep_fried(spec: ModelSpec) -> nn.Module:
    """Three diagonals between Hadamard matrices in place of the dense layer."""
    return LeNet5(spec, FastfoodLinear)
