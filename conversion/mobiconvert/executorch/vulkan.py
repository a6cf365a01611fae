"""Vulkan, the GPU of an Android phone: what it takes, and which operators it wants rounded to int8."""

from mobiconvert.executorch.backend import Backend, lower_to
from mobiconvert.executorch.xnnpack import xnnpack_quantizer
from mobiconvert.quiet import quiet_imports
from mobiconvert.recipes import Recipe

with quiet_imports():
    from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner


def open_vulkan(recipe: Recipe) -> Backend:
    """Float32, float16 by its own option, int8.

    Vulkan's own quantizer knows dense layers alone. Its int8 kernels are found by the pattern that XNNPACK's
    quantizer leaves, with which ExecuTorch tests them.
    """
    partitioner = VulkanPartitioner({"force_fp16": recipe.precision == "fp16"})
    return Backend(lower_to(partitioner), quantizer=xnnpack_quantizer() if recipe.calibrates else None, runs_here=False)
