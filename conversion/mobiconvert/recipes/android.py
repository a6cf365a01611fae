"""What an Android phone runs: a .pte under ExecuTorch."""

import dataclasses

from mobiconvert.recipes.recipe import Recipe

_XNNPACK_FP32 = Recipe(
    name="xnnpack_fp32",
    platform="android",
    runtime="executorch",
    backend="xnnpack",
    precision="fp32",
    min_os="23",
    needs="org.pytorch:executorch-android",
    promise="every layer in XNNPACK's float32 kernels on the CPU",
    error=1e-4,
    golden_margin=1e-3,
)

ANDROID = (
    _XNNPACK_FP32,
    dataclasses.replace(
        _XNNPACK_FP32,
        name="xnnpack_fp16",
        precision="fp16",
        promise="half the bytes of float32, and up to twice its speed on a CPU with float16 arithmetic (ARMv8.2)",
        error=1e-1,
        golden_margin=1e-1,
    ),
    dataclasses.replace(
        _XNNPACK_FP32,
        name="xnnpack_int8",
        precision="int8",
        needs="org.pytorch:executorch-android, images to calibrate with",
        promise="weights and activations in 8 bits, a scale each channel: a quarter of float32's bytes, two to three "
        "times its speed on the CPU",
        error=None,
        golden_margin=1e-1,
    ),
    dataclasses.replace(
        _XNNPACK_FP32,
        name="portable_fp32",
        backend="portable",
        promise="ExecuTorch's plain kernels without any backend: the yardstick, some fifty times slower than XNNPACK",
    ),
)
