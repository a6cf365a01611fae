"""What an iPhone runs: an .mlpackage under Core ML."""

from mobiconvert.recipes.recipe import Recipe

IOS = (
    Recipe(
        name="coreml_fp16",
        platform="ios",
        runtime="coreml",
        backend="coreml",
        precision="fp16",
        min_os="16.0",
        needs="Core ML of iOS 16",
        promise="half the bytes of float32, and may run on the Neural Engine",
        error=1e-1,
        golden_margin=1e-1,
        compute_units="all",
    ),
    Recipe(
        name="coreml_fp32",
        platform="ios",
        runtime="coreml",
        backend="coreml",
        precision="fp32",
        min_os="16.0",
        needs="Core ML of iOS 16",
        promise="float32 throughout, on the CPU or the GPU, never on the Neural Engine",
        error=1e-4,
        golden_margin=1e-3,
        compute_units="cpuAndGPU",
    ),
)
