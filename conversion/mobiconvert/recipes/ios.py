"""What an iPhone runs: an .mlpackage under Core ML."""

import dataclasses

from mobiconvert.recipes.recipe import LinearWeights, OwnCodes, Palette, Recipe, Sparse

_FP16 = Recipe(
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
)


def _stored(name: str, weights: LinearWeights | Palette | Sparse | OwnCodes, min_os: str, promise: str) -> Recipe:
    """float16 arithmetic on weights that are stored in fewer bits."""
    needs = f"Core ML of iOS {min_os.partition('.')[0]}"
    return dataclasses.replace(
        _FP16, name=name, weights=weights, min_os=min_os, needs=needs, promise=promise, error=None
    )


def _palette(bits: int, promise: str) -> Recipe:
    return _stored(f"coreml_palette_{bits}bit", Palette(bits), "16.0", promise)


IOS = (
    _FP16,
    dataclasses.replace(
        _FP16,
        name="coreml_fp32",
        precision="fp32",
        promise="float32 throughout, on the CPU or the GPU, never on the Neural Engine",
        error=1e-4,
        golden_margin=1e-3,
        compute_units="cpuAndGPU",
    ),
    dataclasses.replace(
        _FP16,
        name="coreml_int8",
        precision="int8",
        min_os="17.0",
        needs="Core ML of iOS 17, images to calibrate with",
        promise="weights and activations in 8 bits (W8A8): half the bytes of float16, fastest on the Neural Engine of "
        "an A17 Pro or newer",
        error=None,
    ),
    _stored(
        "coreml_weights_int8", LinearWeights(), "16.0", "weights in 8 bits, a scale each channel; float16 arithmetic"
    ),
    _palette(8, "256 values a layer: half the bytes of float16, accuracy as good as unchanged"),
    _palette(6, "64 values a layer: 0.38 of float16's bytes, accuracy close to it"),
    _palette(4, "16 values a layer: 0.26 of float16's bytes; look at the accuracy"),
    _palette(2, "4 values a layer: 0.14 of float16's bytes, for networks that were trained for it"),
    _palette(1, "2 values a layer: 0.08 of float16's bytes, for networks that were trained for it"),
    _stored(
        "coreml_palette_vector",
        Palette(bits=8, vector=4),
        "18.0",
        "256 vectors of 4 weights a layer, 2 bits a weight: better than 4 values at the same size",
    ),
    _stored(
        "coreml_sparse",
        Sparse(share=0.75),
        "16.0",
        "the smallest 75 % of weights are zero and not stored: 0.32 of float16's bytes, for networks pruned before",
    ),
    _stored(
        "coreml_sparse_palette",
        Sparse(share=0.75, palette=Palette(bits=4)),
        "18.0",
        "75 % zeros, the others 16 values a layer: 0.14 of float16's bytes, for networks pruned before",
    ),
    _stored(
        "coreml_own_codes",
        OwnCodes(),
        "18.0",
        "a compressed network's own codes, tables and scales a channel: what was trained is what is stored; nothing is "
        "clustered anew",
    ),
    dataclasses.replace(
        _FP16,
        name="executorch_coreml_fp16",
        runtime="executorch",
        min_os="17.0",
        needs="ExecuTorch's Swift package 1.4.1 with backend_coreml, iOS 17",
        promise="Core ML's float16 program inside a .pte, for an app that runs everything through ExecuTorch",
    ),
)
