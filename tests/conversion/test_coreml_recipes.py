"""Every iOS recipe: exported, opened, and held to what its name says of operations and of bits a weight."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mobiconvert import RECIPES, WeightsOrigin, convert, find_recipe, load_classifier
from mobiconvert.coreml.lowering import lower
from mobiconvert.deployment import DeployedNetwork
from mobiconvert.layer_sqnr import measure_package_layers
from mobiconvert.mil_evaluator.coreml_proto import import_messages
from mobisdk.bundle import Bundle, read_bundle, verify_files
from mobisdk.cli.networks import create_untrained_network
from mobisdk.cli.verify import verify_bundle
from mobisdk.data.photographs import photograph_crops
from mobisdk.devices.golden import check_golden
from mobisdk.errors import ConversionError
from mobisdk.specs import InputSpec, ModelSpec

MODEL_FILE = "model.mlpackage/Data/com.apple.CoreML/model.mlmodel"
BLOB = "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
# A network of its own codes: test_own_codes.py.
NAMES = [recipe.name for recipe in RECIPES if recipe.runtime == "coreml" and recipe.name != "coreml_own_codes"]
POINTWISE, CLASSIFIER = 64 * 192 + 192 * 192, 192 * 42


class Mobile(nn.Module):
    """A separable convolution between a stem and a classifier of 42, which four do not divide."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(64, 64, 3, padding=1, groups=64)
        self.pointwise = nn.Conv2d(64, 192, 1)
        self.second = nn.Conv2d(192, 192, 1)
        self.classifier = nn.Linear(192, 42)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        x = torch.relu(self.pointwise(torch.relu(self.depthwise(x))))
        return self.classifier(torch.relu(self.second(x)).mean((2, 3)))


def export(name: str, folder: Path, network: nn.Module | None = None) -> Bundle:
    torch.manual_seed(1)
    return convert(
        network or Mobile().eval(),
        InputSpec(16, 16),
        find_recipe(name, "ios"),
        folder,
        weights=WeightsOrigin("random", "a test's"),
    )


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    return {name: export(name, folder) for name in NAMES}


def operations(bundle: Bundle) -> list[Any]:
    model = import_messages("Model_pb2").Model.FromString((bundle.path / MODEL_FILE).read_bytes())
    function = model.mlProgram.functions["main"]
    return list(function.block_specializations[function.opset].operations)


@dataclasses.dataclass(frozen=True)
class Promise:
    """What a recipe's artefact must hold: operations by name and count, and bits of a weight that it compresses."""

    operations: dict[str, int]
    bits: float = 16
    compressed: int = 0
    specification: int = 7


# 14,784 weights of palettes and zeros: two pointwise convolutions and the classifier; a linear scale also takes what
# the others leave alone, nothing here. A vector of four lies along the classifier's inputs: 42 outputs do not divide.
PROMISES = {
    "coreml_fp32": Promise({}, bits=32),
    "coreml_fp16": Promise({}),
    "coreml_int8": Promise({"constexpr_affine_dequantize": 5, "quantize": 7, "dequantize": 7}, 8, 0, 8),
    "coreml_weights_int8": Promise({"constexpr_affine_dequantize": 3}, 8, POINTWISE + CLASSIFIER),
    **{
        f"coreml_palette_{bits}bit": Promise({"constexpr_lut_to_dense": 3}, bits, POINTWISE + CLASSIFIER)
        for bits in (1, 2, 4, 6, 8)
    },
    "coreml_palette_vector": Promise({"constexpr_lut_to_dense": 3}, 2, POINTWISE + CLASSIFIER, 9),
    # A quarter of the weights as they were, and a bit each that says where.
    "coreml_sparse": Promise({"constexpr_sparse_to_dense": 3}, 16 / 4 + 1, POINTWISE + CLASSIFIER),
    "coreml_sparse_palette": Promise(
        {"constexpr_lut_to_sparse": 3, "constexpr_sparse_to_dense": 3}, 4 / 4 + 1, POINTWISE + CLASSIFIER, 9
    ),
}


def test_every_recipe_of_core_ml_has_a_promise() -> None:
    assert sorted(PROMISES) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_artefact_when_opened_then_has_the_operations_that_the_recipe_names(
    bundles: dict[str, Bundle], name: str
) -> None:
    compressing = ("constexpr_", "quantize", "dequantize")
    found = Counter(each.type for each in operations(bundles[name]) if each.type.startswith(compressing))
    assert found == PROMISES[name].operations


@pytest.mark.parametrize("name", NAMES)
def test_artefact_when_its_blob_is_weighed_then_a_weight_has_the_bits_that_the_recipe_names(
    bundles: dict[str, Bundle], name: str
) -> None:
    promise, weights = PROMISES[name], sum(each.numel() for each in Mobile().parameters())
    small = (8 if name == "coreml_int8" else promise.bits if name == "coreml_fp32" else 16) / 8
    expected = promise.compressed * promise.bits / 8 + (weights - promise.compressed) * small
    size = (bundles[name].path / BLOB).stat().st_size
    # A header each of 64 bytes, biases in twice the width of quantized weights, and a palette of at most 2 KiB a layer.
    overhead = 12_000 if name == "coreml_palette_vector" else 5_000
    assert expected <= size <= expected + overhead


@pytest.mark.parametrize("name", NAMES)
def test_bundle_when_verified_then_its_manifest_is_true_and_its_golden_holds(
    bundles: dict[str, Bundle], name: str
) -> None:
    bundle, recipe = read_bundle(bundles[name].path), find_recipe(name, "ios")
    verify_files(bundle)
    target = bundle.manifest["target"]
    model = import_messages("Model_pb2").Model.FromString((bundle.path / MODEL_FILE).read_bytes())
    assert target["specification_version"] == model.specificationVersion == PROMISES[name].specification
    # Core ML's specification 7 came with iOS 16, 8 with iOS 17, 9 with iOS 18.
    assert target["min_os"] == f"{model.specificationVersion + 9}.0" == recipe.min_os
    assert f"iOS {model.specificationVersion + 9}" in recipe.needs
    if recipe.weights is not None:
        assert target["weights"]["compressed"]["elements"] == PROMISES[name].compressed
    classifier = load_classifier(bundle)
    classifier.load()
    logits = classifier.forward(classifier.prepare(bundle.golden_input()))
    assert check_golden(bundle, logits).passed
    assert np.isfinite(logits).all()
    assert logits.std() > 0.01


def digests(bundle: Bundle) -> dict[str, str]:
    files = (path for path in sorted(bundle.path.rglob("*")) if path.is_file() and path.name != "manifest.json")
    return {path.relative_to(bundle.path).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_another_process_writes_the_same_bytes(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    """With other random hashes, so that no set's order can decide anything."""
    chosen = ["coreml_int8", "coreml_palette_vector", "coreml_sparse_palette"]
    script = (
        "import json, runpy, sys, pathlib\n"
        f"module = runpy.run_path({str(Path(__file__))!r})\n"
        "made = {n: module['export'](n, pathlib.Path(sys.argv[1])) for n in sys.argv[2:]}\n"
        "print(json.dumps({n: [b.manifest['bundle_id'], module['digests'](b)] for n, b in made.items()}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), *chosen],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = {name: [bundles[name].manifest["bundle_id"], digests(bundles[name])] for name in chosen}
    assert json.loads(done.stdout) == expected


# --- weights that a recipe cannot take ------------------------------------------------------------------------------


class Awkward(nn.Module):
    """Two of its four large weights have no side that four divides."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 130, 4, stride=4)
        self.second = nn.Conv2d(130, 92, 1)
        self.classifier = nn.Linear(92, 50)
        self.last = nn.Linear(50, 42)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.second(torch.relu(self.first(x)))).mean((2, 3))
        return self.last(torch.relu(self.classifier(x)))


def test_weights_of_an_awkward_width_are_named_and_kept_and_the_others_are_vectors(tmp_path: Path) -> None:
    bundle = export("coreml_palette_vector", tmp_path, Awkward().eval())
    weights = bundle.manifest["target"]["weights"]
    assert weights["compressed"] == {"tensors": 2, "elements": 130 * 92 + 92 * 50}
    assert {"elements": 130 * 48 + 50 * 42, "reason": "neither side is a multiple of 4", "tensors": 2} in weights[
        "kept"
    ]
    assert sum(each.type == "constexpr_lut_to_dense" for each in operations(bundle)) == 2


@pytest.mark.parametrize("name", ["coreml_weights_int8", "coreml_palette_4bit", "coreml_palette_vector"])
def test_weights_that_coremltools_leaves_out_in_silence_are_noticed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mobiconvert.coreml import compression

    for function in ("linear_quantize_weights", "palettize_weights"):
        monkeypatch.setattr(compression.opt, function, lambda model, _: model)
    with pytest.raises(ConversionError, match="coremltools left weights uncompressed"):
        export(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_network_without_a_weight_to_compress_is_not_given_the_recipes_name(tmp_path: Path) -> None:
    tiny = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 49, 5)).eval()
    with pytest.raises(ConversionError, match=r"no weight .* fewer bits.*fewer than 2048 elements.*coreml_fp16"):
        export("coreml_palette_4bit", tmp_path, tiny)
    assert list(tmp_path.iterdir()) == []


class SharesABias(nn.Module):
    """Equal biases, which coremltools makes one constant of; one convolution's weight is too small to compress."""

    def __init__(self) -> None:
        super().__init__()
        self.large, self.small = nn.Conv2d(3, 80, 4, stride=4), nn.Conv2d(80, 80, 1, groups=16)
        self.other = nn.Conv2d(80, 80, 1)
        for layer in (self.large, self.small, self.other):
            nn.init.constant_(layer.bias, 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.other(torch.relu(self.small(torch.relu(self.large(x))))).mean((2, 3))


@pytest.mark.parametrize("name", ["coreml_palette_4bit", "coreml_weights_int8", "coreml_sparse_palette"])
def test_layers_that_share_a_bias_are_compressed_each_by_its_own_weight(name: str, tmp_path: Path) -> None:
    bundle = export(name, tmp_path, SharesABias().eval())
    compressed = bundle.manifest["target"]["weights"]["compressed"]
    assert compressed == {"tensors": 2, "elements": 80 * 48 + 80 * 80}


class Flattens(nn.Module):
    """A classifier behind a flatten, as LeNet's; both of its pools are rounded once more."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.hidden = nn.Linear(32, 48)
        self.classifier = nn.Linear(48, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.relu(self.hidden(self.features(x).flatten(1))))


def test_int8_behind_a_flatten_is_read_with_the_scale_that_it_was_rounded_with(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = Flattens().eval()
    spec = InputSpec(32, 32)
    bundle = convert(network, spec, find_recipe("coreml_int8", "ios"), tmp_path, weights=WeightsOrigin("random", "-"))
    layers = measure_package_layers(bundle.model_path, DeployedNetwork(network, spec), photograph_crops(4, spec))
    assert [layer.layer for layer in layers] == ["features.0", "features.3", "hidden", "classifier"]
    assert min(layer.sqnr_db for layer in layers) > 20


# --- sizes ----------------------------------------------------------------------------------------------------------


def test_mobilenet_is_as_small_as_promised(tmp_path: Path) -> None:
    """MobileNetV1 1.0 of 1000 classes: its weights, and so its size, do not depend on the resolution."""
    network = create_untrained_network(ModelSpec(alpha=1.0, resolution=32))
    program = torch.export.export(DeployedNetwork(network.module, network.input).eval(), (torch.rand(1, 3, 32, 32),))
    sizes = {}
    for name in ("coreml_fp16", "coreml_palette_4bit", "coreml_sparse", "coreml_palette_1bit"):
        (tmp_path / name).mkdir()
        lower(program, find_recipe(name, "ios"), 0, tmp_path / name, np.zeros((0, 32, 32, 3), np.uint8), {})
        sizes[name] = sum(path.stat().st_size for path in (tmp_path / name).rglob("*") if path.is_file())
    assert sizes["coreml_fp16"] > 2 * 4_200_000
    assert sizes["coreml_palette_4bit"] <= 0.30 * sizes["coreml_fp16"]
    assert sizes["coreml_sparse"] <= 0.60 * sizes["coreml_fp16"]
    assert sizes["coreml_palette_1bit"] <= 0.12 * sizes["coreml_fp16"]


class Grows(nn.Module):
    """A transposed convolution with a filter a channel, as a factorized network has; its norm is folded by us."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2, groups=8)
        self.norm = nn.BatchNorm2d(8)
        self.classifier = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.relu(self.norm(self.up(torch.relu(self.down(x))))).mean((2, 3)))


def test_int8_leaves_transposed_convolutions_in_float16_and_says_so(tmp_path: Path) -> None:
    bundle = export("coreml_int8", tmp_path, Grows().eval())
    assert bundle.manifest["target"]["weights"] == {
        "compressed": {"tensors": 2, "elements": 8 * 27 + 5 * 8},
        "kept": [{"reason": "the quantizer rounds no conv_transpose2d", "tensors": 1, "elements": 8 * 4}],
    }
    assert sum(each.type == "constexpr_affine_dequantize" for each in operations(bundle)) == 2
    checks = {check.name: check.found for check in verify_bundle(bundle.path)}
    assert checks["weights"] == ("2 of 3 are stored in fewer bits; kept: 1 (the quantizer rounds no conv_transpose2d)")


def test_manifest_names_what_is_known_to_leave_the_neural_engine(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    (layer, *_) = bundles["coreml_fp32"].manifest["delegation"]["leaves_neural_engine"]
    assert (layer["op"], layer["count"]) == ("conv", 4)
    assert layer["reason"].startswith("float32")
    assert layer["source"].startswith("https://apple.github.io/coremltools/")
    assert bundles["coreml_fp16"].manifest["delegation"]["leaves_neural_engine"] == []
    delegated = export("executorch_coreml_fp16", tmp_path)
    assert delegated.manifest["delegation"]["leaves_neural_engine"] is None
