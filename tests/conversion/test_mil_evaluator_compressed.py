"""Whole programs with compressed weights, against the same programs decompressed by coremltools."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mobiconvert.mil_evaluator import evaluate, load_mil_program
from mobiconvert.mil_evaluator.coreml_proto import import_messages
from mobiconvert.quiet import quiet_imports

with quiet_imports():
    import coremltools as ct
    import coremltools.optimize.coreml as opt

gc.freeze()  # `ct.convert` collects garbage, over all of coremltools' own objects: 0.6 s a program otherwise

SIDE = 16
Compress = Callable[[Any], Any]


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    """One network by opset, as coremltools holds it; groups, blocks and vectors divide its sides of 16, 32 and 48."""
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, groups=16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 48),
    ).eval()
    with quiet_imports():
        program = torch.export.export(network, (torch.rand(1, 3, SIDE, SIDE),)).run_decompositions({})
        return {
            name: ct.convert(
                program,
                inputs=[ct.TensorType(name="x", shape=(1, 3, SIDE, SIDE))],
                outputs=[ct.TensorType(name="y", dtype=np.float32)],
                minimum_deployment_target=target,
                skip_model_load=True,
            )
            for name, target in (("iOS16", ct.target.iOS16), ("iOS18", ct.target.iOS18))
        }


def _with(function: Any, **options: Any) -> Compress:
    config = {
        opt.linear_quantize_weights: opt.OpLinearQuantizerConfig,
        opt.palettize_weights: opt.OpPalettizerConfig,
        opt.prune_weights: opt.OpMagnitudePrunerConfig,
    }[function]
    joint = {"joint_compression": True} if options.pop("joint", False) else {}
    return lambda model: function(
        model, opt.OptimizationConfig(global_config=config(weight_threshold=0, **options)), **joint
    )


def _after(first: Compress, then: Compress) -> Compress:
    return lambda model: then(first(model))


_PRUNE = _with(opt.prune_weights, target_sparsity=0.75)
_PRUNE_2_OF_4 = _with(opt.prune_weights, n_m_ratio=(2, 4))
_PALETTE = {"mode": "uniform", "nbits": 4}

CASES = {
    "iOS16 affine": (["affine_dequantize"], _with(opt.linear_quantize_weights, mode="linear_symmetric")),
    "iOS16 affine with zero points": (["affine_dequantize"], _with(opt.linear_quantize_weights, mode="linear")),
    "iOS16 affine, one scale": (["affine_dequantize"], _with(opt.linear_quantize_weights, granularity="per_tensor")),
    **{
        f"iOS16 palette of {bits} bits": (
            ["lut_to_dense"],
            _with(opt.palettize_weights, mode="uniform", nbits=bits),
        )
        for bits in (1, 2, 4, 6, 8)
    },
    "iOS16 sparse": (["sparse_to_dense"], _PRUNE),
    "iOS16 sparse, 2 of 4": (["sparse_to_dense"], _PRUNE_2_OF_4),
    "iOS18 int4 by blocks": (
        ["blockwise_shift_scale"],
        _with(opt.linear_quantize_weights, dtype="int4", granularity="per_block", block_size=8),
    ),
    "iOS18 uint4 by channels, with offsets": (
        ["blockwise_shift_scale"],
        _with(opt.linear_quantize_weights, dtype="uint4", mode="linear"),
    ),
    "iOS18 int8 by tensor": (
        ["blockwise_shift_scale"],
        _with(opt.linear_quantize_weights, dtype="int8", granularity="per_tensor"),
    ),
    "iOS18 palette of 3 bits": (["lut_to_dense"], _with(opt.palettize_weights, mode="uniform", nbits=3)),
    "iOS18 palettes of groups of outputs": (
        ["lut_to_dense"],
        _with(opt.palettize_weights, granularity="per_grouped_channel", group_size=4, channel_axis=0, **_PALETTE),
    ),
    "iOS18 palettes of groups of inputs": (
        ["lut_to_dense"],
        _with(opt.palettize_weights, granularity="per_grouped_channel", group_size=8, channel_axis=1, **_PALETTE),
    ),
    "iOS18 palette with a scale a channel": (
        ["lut_to_dense", "blockwise_shift_scale"],
        _with(opt.palettize_weights, enable_per_channel_scale=True, **_PALETTE),
    ),
    "iOS18 palette of vectors": (
        ["lut_to_dense"],
        _with(opt.palettize_weights, mode="kmeans", nbits=2, cluster_dim=4),
    ),
    "iOS18 palettes of vectors by groups": (
        ["lut_to_dense"],
        _with(
            opt.palettize_weights,
            mode="kmeans",
            nbits=1,
            cluster_dim=2,
            granularity="per_grouped_channel",
            group_size=8,
        ),
    ),
    "iOS18 palette in int8": (
        ["lut_to_dense", "blockwise_shift_scale"],
        _after(
            _with(opt.palettize_weights, **_PALETTE),
            _with(opt.linear_quantize_weights, granularity="per_tensor", joint=True),
        ),
    ),
    "iOS18 sparse palette": (
        ["lut_to_sparse", "sparse_to_dense"],
        _after(_PRUNE, _with(opt.palettize_weights, joint=True, **_PALETTE)),
    ),
    "iOS18 sparse palettes of groups": (
        ["lut_to_sparse", "sparse_to_dense"],
        _after(
            _PRUNE,
            _with(opt.palettize_weights, joint=True, granularity="per_grouped_channel", group_size=4, **_PALETTE),
        ),
    ),
    "iOS18 sparse int8": (
        ["sparse_blockwise_shift_scale", "sparse_to_dense"],
        _after(_PRUNE, _with(opt.linear_quantize_weights, joint=True)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_compressed_weights_give_the_results_of_coremltools_decompression(
    models: dict[str, Any], tmp_path: Path, name: str
) -> None:
    operations, compress = CASES[name]
    plain = models[name.split()[0]]
    with quiet_imports():
        compressed = compress(plain)
        compressed.save(str(tmp_path / "compressed.mlpackage"))
        opt.decompress_weights(compressed).save(str(tmp_path / "decompressed.mlpackage"))
        plain.save(str(tmp_path / "plain.mlpackage"))
    assert set(_constexprs(tmp_path / "compressed.mlpackage")) == {f"constexpr_{each}" for each in operations}
    assert not _constexprs(tmp_path / "decompressed.mlpackage")
    x = np.random.default_rng(0).uniform(size=(1, 3, SIDE, SIDE)).astype(np.float32)
    compressed_y, decompressed_y, plain_y = (
        evaluate(load_mil_program(tmp_path / f"{each}.mlpackage"), {"x": x})["y"]
        for each in ("compressed", "decompressed", "plain")
    )
    np.testing.assert_array_equal(compressed_y, decompressed_y)
    assert not np.array_equal(compressed_y, plain_y)


def _constexprs(package: Path) -> list[str]:
    content = (package / "Data/com.apple.CoreML/model.mlmodel").read_bytes()
    function = import_messages("Model_pb2").Model.FromString(content).mlProgram.functions["main"]
    operations = function.block_specializations[function.opset].operations
    return [each.type for each in operations if each.type.startswith("constexpr_")]
