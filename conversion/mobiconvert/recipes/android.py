"""What an Android phone runs: a .pte under ExecuTorch."""

from mobiconvert.recipes.recipe import Recipe

ANDROID = (
    Recipe(
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
    ),
)
