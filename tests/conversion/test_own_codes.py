"""Compressed networks in Core ML: their own codes, tables and scales, read back with coremltools' own reader."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mobiconvert import WeightsOrigin, convert, find_recipe, load_classifier
from mobiconvert.coreml.own_codes import match_codes
from mobiconvert.quiet import quiet_imports
from mobisdk.bundle import Bundle
from mobisdk.compression import compress_
from mobisdk.compression.binary_weights import BinaryWeightsConfig
from mobisdk.compression.deep_compression import DeepCompressionConfig
from mobisdk.compression.fixed_point import FixedPointConfig
from mobisdk.compression.hashing import HashingConfig
from mobisdk.compression.low_bits import LowBitsConfig
from mobisdk.compression.product_quantization import ProductQuantizationConfig
from mobisdk.compression.stored_codes import StoredCodes, list_stored_codes
from mobisdk.compression.technique import TechniqueConfig
from mobisdk.devices.golden import check_golden
from mobisdk.errors import ConversionError
from mobisdk.layers.parametrized import without_parametrizations
from mobisdk.specs import InputSpec

with quiet_imports():
    import coremltools as ct
    from coremltools.models.utils import _apply_graph_pass

IMAGES = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class Network(nn.Module):
    """A stem, a convolution before a norm, whose fold gives every channel a scale of its own, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.inner = nn.Conv2d(16, 64, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(64)
        self.dense = nn.Linear(64, 96)
        self.classifier = nn.Linear(96, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits."""
        features = torch.relu(self.norm(self.inner(torch.relu(self.stem(images)))))
        logits: torch.Tensor = self.classifier(torch.relu(self.dense(features.mean((2, 3)))))
        return logits


def build() -> Network:
    torch.manual_seed(0)
    network = Network()
    with torch.no_grad():
        network.norm.weight.uniform_(0.5, 2)
        network.norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
        network.norm.running_mean.normal_()  # type: ignore[union-attr]
    return network.eval()


def export(network: nn.Module, folder: Path, name: str = "coreml_own_codes") -> Bundle:
    return convert(
        network, InputSpec(16, 16), find_recipe(name, "ios"), folder, weights=WeightsOrigin("random", "a test's")
    )


def read_tables(bundle: Bundle) -> list[Any]:
    """Every constexpr_lut_to_dense, and the scale behind the layer that reads it, if anything scales it."""
    model = ct.models.MLModel(str(bundle.path / "model.mlpackage"), skip_model_load=True)
    program = _apply_graph_pass(model, [], spec_version=9, return_pymil_prog=True)
    found = []
    for operation in program.functions["main"].operations:
        if operation.op_type == "constexpr_lut_to_dense":
            (layer,) = operation.outputs[0].child_ops
            behind = layer.outputs[0].child_ops[0]
            scale = behind.y.val if behind.op_type == "mul" else None
            found.append((operation.indices.val, operation.lut.val, operation.vector_axis, scale))
    return found


CASES = {
    "binary": (BinaryWeightsConfig(), {"inner": 1, "dense": 1}),
    "low_bits": (
        LowBitsConfig(weight_bits=2, keep_first_and_last=False, layers=("inner", "dense")),
        {"inner": 2, "dense": 2},
    ),
    "six_bits": (LowBitsConfig(weight_bits=6), {"inner": 6, "dense": 6}),
    "deep_compression": (
        DeepCompressionConfig(convolution_bits=5, dense_bits=4, sparsity=0.6),
        {"inner": 6, "dense": 4},
    ),
    "product_quantization": (ProductQuantizationConfig(bits=6), {"inner": 6, "dense": 6}),
    "subspace": (ProductQuantizationConfig(bits=4, codebooks="subspace"), {"inner": 4, "dense": 4}),
    "fixed_point": (FixedPointConfig(bits=8, activations=False, layers=("inner", "dense")), {"inner": 8, "dense": 8}),
}


@pytest.mark.parametrize("case", CASES)
def test_codes_when_exported_then_the_file_holds_the_networks_own_tables_and_scales(case: str, tmp_path: Path) -> None:
    config, bits = CASES[case]
    network = build()
    result = compress_(network, config, images=IMAGES)
    assert set(bits) <= {change.name for change in result.changed}
    own = list_stored_codes(network)
    plain = without_parametrizations(network)
    factors = {
        "inner": network.norm.weight / (network.norm.running_var + network.norm.eps).sqrt(),
        "dense": torch.ones(96),
    }  # type: ignore[operator]

    bundle = export(network, tmp_path)

    found = {codes.shape[0]: (codes, lut, axis, scale) for codes, lut, axis, scale in read_tables(bundle)}
    for layer, outputs in (("inner", 64), ("dense", 96)):
        codes, lut, _, scale = found[outputs]
        stored = own[layer]
        books, entries, vector = stored.tables.shape
        np.testing.assert_array_equal(codes, stored.codes)
        assert lut.shape[-2] == 2 ** bits[layer]
        tables = lut.reshape(books, -1, vector)
        np.testing.assert_array_equal(tables[:, :entries], stored.tables.astype(np.float16))
        weight = plain.get_submodule(layer).weight.detach().numpy()  # type: ignore[union-attr]
        rebuilt = StoredCodes(codes, tables.astype(np.float32)).materialize()
        if scale is not None:
            rebuilt = rebuilt * scale.astype(np.float32).reshape(-1, *[1] * (rebuilt.ndim - 1))
        expected = weight * factors[layer].detach().numpy().reshape(-1, *[1] * (weight.ndim - 1))
        np.testing.assert_allclose(rebuilt, expected, rtol=3e-3, atol=1e-6)
    assert found[64][3] is not None  # the norm was folded
    classifier = load_classifier(bundle)
    classifier.load()
    assert check_golden(bundle, classifier.forward(classifier.prepare(bundle.golden_input()))).passed
    weights = bundle.manifest["target"]["weights"]
    assert weights["compressed"]["elements"] >= 64 * 144 + 64 * 96
    reasons = [entry["reason"] for entry in weights["kept"]]
    assert set(reasons) <= {"no codes of its own", "not a layer's weight"}


def test_size_when_exported_then_a_weight_takes_the_bits_of_its_codes(tmp_path: Path) -> None:
    sizes = {}
    for bits in (1, 2, 4, 6):
        network = build()
        compress_(network, LowBitsConfig(weight_bits=bits, layers=("inner", "dense")))
        blob = export(network, tmp_path / str(bits)).path / "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
        sizes[bits] = blob.stat().st_size
    coded = 64 * 144 + 64 * 96
    for bits in (2, 4, 6):
        assert sizes[bits] - sizes[1] == pytest.approx(
            (bits - 1) * coded / 8, abs=2 * (2 * 2**bits + 2 * 64)
        )  # two tables, and what aligns them and the codes


def test_network_when_it_has_no_codes_then_refused(tmp_path: Path) -> None:
    network = build()
    compress_(network, HashingConfig())
    with pytest.raises(ConversionError, match="mobisdk compress"):
        export(network, tmp_path)
    assert not list(tmp_path.iterdir())


def test_weight_when_another_layers_codes_have_its_shape_then_not_taken_for_its_own() -> None:
    random = np.random.default_rng(0)
    tables = np.array([-1, 1], np.float32).reshape(1, 2, 1)
    first, second = (StoredCodes(random.integers(0, 2, (8, 6), dtype=np.uint8), tables) for _ in range(2))
    weight = (second.materialize() * np.linspace(0.1, 3, 8)[:, None]).astype(np.float16)
    matched = match_codes(weight, {"first": first, "second": second})
    assert matched is not None
    assert matched.layer == "second"
    assert matched.scales is not None
    np.testing.assert_allclose(matched.scales, np.linspace(0.1, 3, 8), rtol=2e-3)
    assert match_codes(weight + np.float16(0.01), {"first": first, "second": second}) is None


@pytest.mark.parametrize(
    "config",
    [
        BinaryWeightsConfig(),
        DeepCompressionConfig(dense_bits=4, convolution_bits=4),
        ProductQuantizationConfig(bits=4, correct_error=False),
        LowBitsConfig(weight_bits=4),
        FixedPointConfig(bits=7, activations=False),
    ],
)
def test_stored_codes_are_the_weight_but_for_a_scale(config: TechniqueConfig) -> None:
    network = build()
    compress_(network, config, images=IMAGES)
    plain = without_parametrizations(network)
    stored = list_stored_codes(network)
    assert {"inner", "dense"} <= set(stored)
    for name, codes in stored.items():
        weight = plain.get_submodule(name).weight.detach().numpy()  # type: ignore[union-attr]
        assert match_codes(weight, {name: codes}) is not None
