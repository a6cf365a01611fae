"""The blocks that the architectures are built of."""

from mobisdk.layers.average_pool import AveragePool3x3
from mobisdk.layers.conv_norm_act import ConvNormAct
from mobisdk.layers.fastfood_linear import FastfoodLinear
from mobisdk.layers.flattened_conv import FlattenedConv2d
from mobisdk.layers.inverted_residual import InvertedResidual
from mobisdk.layers.parallel import Parallel
from mobisdk.layers.pointwise_structured import PointwiseStructured
from mobisdk.layers.separable_conv import SeparableConv2d
from mobisdk.layers.single_intra_channel_conv import RingProjection, SingleIntraChannelConv2d, SpatialBottleneckConv2d
from mobisdk.layers.squeeze_excite import SqueezeExcite
from mobisdk.layers.structured_linear import StructuredLinear
from mobisdk.layers.toeplitz_like_linear import ToeplitzLikeLinear
from mobisdk.layers.universal_inverted_bottleneck import FusedInvertedBottleneck, UniversalInvertedBottleneck

__all__ = [
    "AveragePool3x3",
    "ConvNormAct",
    "FastfoodLinear",
    "FlattenedConv2d",
    "FusedInvertedBottleneck",
    "InvertedResidual",
    "Parallel",
    "PointwiseStructured",
    "RingProjection",
    "SeparableConv2d",
    "SingleIntraChannelConv2d",
    "SpatialBottleneckConv2d",
    "SqueezeExcite",
    "StructuredLinear",
    "ToeplitzLikeLinear",
    "UniversalInvertedBottleneck",
]
