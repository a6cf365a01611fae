"""Trained networks made smaller: one technique a file, each applied to any module."""

from mobisdk.compression.compress import compress_, restructure_
from mobisdk.compression.network import load_network
from mobisdk.compression.result import CompressionResult, LayerChange, SkippedLayer
from mobisdk.compression.technique import TechniqueConfig, find_technique, list_methods

__all__ = [
    "CompressionResult",
    "LayerChange",
    "SkippedLayer",
    "TechniqueConfig",
    "compress_",
    "find_technique",
    "list_methods",
    "load_network",
    "restructure_",
]
