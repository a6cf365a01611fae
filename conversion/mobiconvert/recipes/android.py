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
    needs="org.pytorch:executorch-android 1.4.1",
    promise="every layer in XNNPACK's float32 kernels on the CPU",
    error=1e-4,
    golden_margin=1e-3,
)

_XNNPACK_INT8 = dataclasses.replace(
    _XNNPACK_FP32,
    name="xnnpack_int8",
    precision="int8",
    needs="org.pytorch:executorch-android 1.4.1, images to calibrate with",
    promise="weights and activations in 8 bits, a scale each channel: a quarter of float32's bytes, two to three "
    "times its speed on the CPU",
    error=None,
    golden_margin=1e-1,
)
_VULKAN_FP32 = dataclasses.replace(
    _XNNPACK_FP32,
    name="vulkan_fp32",
    backend="vulkan",
    min_os="28",
    needs="org.pytorch:executorch-android-vulkan 1.4.1, a GPU with Vulkan 1.1",
    promise="the GPU, in float32; this computer checks the graph, the phone the artefact",
)
_QNN_FP16 = dataclasses.replace(
    _XNNPACK_FP32,
    name="qnn_fp16",
    backend="qnn",
    precision="fp16",
    needs="org.pytorch:executorch-android-qnn 1.4.1, a Snapdragon 8 Gen 1 or newer; Qualcomm's QNN SDK to export",
    promise="the Hexagon NPU, in float16; the graph is composed on the phone, so the first load takes longer",
    error=1e-1,
    golden_margin=1e-1,
)

ANDROID = (
    _XNNPACK_FP32,
    dataclasses.replace(
        _XNNPACK_FP32,
        name="xnnpack_fp16",
        precision="fp16",
        promise="float16 arithmetic, up to twice float32's speed on a CPU that has it (ARMv8.2); convolutions' weights "
        "stay float32 in the file",
        error=1e-1,
        golden_margin=1e-1,
    ),
    _XNNPACK_INT8,
    dataclasses.replace(
        _XNNPACK_INT8,
        name="xnnpack_int8_qat",
        needs="org.pytorch:executorch-android 1.4.1, a checkpoint and its labelled training images",
        promise="xnnpack_int8 after three more epochs of training with the rounding in it, where that alone loses "
        "too much",
        trains=True,
    ),
    _VULKAN_FP32,
    dataclasses.replace(
        _VULKAN_FP32,
        name="vulkan_fp16",
        precision="fp16",
        promise="the GPU, weights and arithmetic in float16: half the bytes of float32",
        error=1e-1,
        golden_margin=1e-1,
    ),
    dataclasses.replace(
        _VULKAN_FP32,
        name="vulkan_int8",
        precision="int8",
        needs="org.pytorch:executorch-android-vulkan 1.4.1, a GPU with Vulkan 1.1, images to calibrate with",
        promise="the GPU, weights and activations in 8 bits; young kernels: measure before you choose it",
        error=None,
        golden_margin=1e-1,
    ),
    _QNN_FP16,
    dataclasses.replace(
        _QNN_FP16,
        name="qnn_int8",
        precision="int8",
        needs="org.pytorch:executorch-android-qnn 1.4.1, a Snapdragon with a Hexagon NPU; Qualcomm's QNN SDK to "
        "export, images to calibrate with",
        promise="the Hexagon NPU, weights and activations in 8 bits: the fastest that a Snapdragon has",
        error=None,
    ),
    dataclasses.replace(
        _XNNPACK_FP32,
        name="portable_fp32",
        backend="portable",
        promise="ExecuTorch's plain kernels without any backend: the yardstick, some fifty times slower than XNNPACK",
    ),
)
