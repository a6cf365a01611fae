"""Real networks through the real toolchains, and the artefacts run again here."""

import inspect
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mobiconvert import WeightsOrigin, convert, find_recipe, load_classifier
from mobiconvert.deployment import DeployedNetwork, compute_logits
from mobisdk.bundle import Bundle, read_bundle, verify_files
from mobisdk.cli.networks import Network, create_untrained_network
from mobisdk.data.photographs import photograph_crops
from mobisdk.devices.golden import check_golden
from mobisdk.errors import BundleError, ConfigError, ConversionError, ParityError, UnsupportedError
from mobisdk.specs import InputSpec, ModelSpec

SPEC = ModelSpec(alpha=0.25, resolution=32)
RECIPES = ("xnnpack_fp32", "coreml_fp16", "coreml_fp32")
RANDOM = WeightsOrigin("random", "a test's")


@pytest.fixture(scope="module")
def network() -> Network:
    return create_untrained_network(SPEC)


def export(network: Network, name: str, folder: Path) -> Bundle:
    recipe = find_recipe(name, "ios" if name.startswith("coreml") else "android")
    return convert(network.module, network.input, recipe, folder, weights=network.weights, model_spec=network.spec)


@pytest.fixture(scope="module")
def bundles(network: Network, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    return {name: export(network, name, folder) for name in RECIPES}


def run(bundle: Bundle, images: np.ndarray) -> np.ndarray:
    classifier = load_classifier(bundle)
    classifier.load()
    try:
        return np.stack([classifier.forward(classifier.prepare(image)) for image in images])
    finally:
        classifier.close()


@pytest.mark.parametrize(("name", "bound"), [("xnnpack_fp32", 1e-4), ("coreml_fp32", 1e-4), ("coreml_fp16", 1e-1)])
def test_artefact_when_run_on_twenty_photographs_then_agrees_with_the_network_in_float64(
    bundles: dict[str, Bundle], network: Network, name: str, bound: float
) -> None:
    images = photograph_crops(20, network.input)
    reference = compute_logits(DeployedNetwork(network.module, network.input).eval(), images)
    error = np.abs(run(bundles[name], images) - reference).max() / np.abs(reference).max()
    assert error <= bound


def test_untrained_network_gives_logits_that_differ_between_images(
    bundles: dict[str, Bundle], network: Network
) -> None:
    logits = run(bundles["xnnpack_fp32"], photograph_crops(20, network.input))
    assert logits.std(axis=0).mean() > 0.2 * np.abs(logits).mean()
    assert len(set(logits.argmax(axis=1).tolist())) > 3


def test_normalization_when_written_out_in_numpy_then_is_what_the_graph_does(network: Network) -> None:
    image = photograph_crops(1, network.input)
    expected = (image.transpose(0, 3, 1, 2) / 255 - 0.5) / 0.5
    reference = network.module.double()(torch.from_numpy(expected)).detach().numpy()
    network.module.float()
    deployed = compute_logits(DeployedNetwork(network.module, network.input).eval(), image)
    np.testing.assert_allclose(deployed, reference, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", RECIPES)
def test_manifest_says_what_is_true(bundles: dict[str, Bundle], network: Network, name: str) -> None:
    bundle = read_bundle(bundles[name].path)
    verify_files(bundle)
    manifest = bundle.manifest
    assert manifest["model"]["params"] == 470_072  # the paper's network at 0.25, 1000 classes
    assert manifest["model"]["macs"] == manifest["delegation"]["macs_delegated"]
    assert manifest["delegation"]["ops_total"] == manifest["delegation"]["ops_delegated"] > 28
    assert manifest["delegation"]["fallback"] == []
    assert manifest["input"]["shape"] == [1, 3, 32, 32]
    assert manifest["output"] == {"name": "logits", "shape": [1, 1000], "dtype": "float32", "activation": "logits"}
    assert manifest["model"]["weights"]["source"] == "random"
    assert manifest["parity"]["images"] == 20
    assert manifest["parity"]["max_abs_error"] <= manifest["parity"]["tolerance"]
    assert manifest["tool_versions"]["torch"] == "2.13.0"
    assert len(bundle.labels()) == 1000
    golden = compute_logits(DeployedNetwork(network.module, network.input).eval(), bundle.golden_input()[None])[0]
    np.testing.assert_array_equal(bundle.golden_output(), golden.astype(np.float32))
    check = check_golden(bundle, run(bundle, bundle.golden_input()[None])[0])
    assert check.passed
    assert check.top1_matches


def test_pte_when_opened_then_one_xnnpack_delegate_does_all(bundles: dict[str, Bundle]) -> None:
    from mobiconvert.quiet import quiet_imports

    with quiet_imports():
        from executorch.exir._serialize._program import deserialize_pte_binary

        program = deserialize_pte_binary((bundles["xnnpack_fp32"].path / "model.pte").read_bytes()).program
    (plan,) = program.execution_plan
    assert [delegate.id for delegate in plan.delegates] == ["XnnpackBackend"]
    assert [type(instruction.instr_args).__name__ for instruction in plan.chains[0].instructions] == ["DelegateCall"]


@pytest.mark.parametrize(("name", "bytes_a_weight"), [("coreml_fp16", 2), ("coreml_fp32", 4)])
def test_mlpackage_when_opened_then_weights_have_the_width_of_the_recipe(
    bundles: dict[str, Bundle], name: str, bytes_a_weight: int
) -> None:
    blob = bundles[name].path / "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
    folded_norms = 2 * 5480  # of each batch norm's four vectors, a bias remains at most
    weights = 470_072 - folded_norms
    assert weights * bytes_a_weight <= blob.stat().st_size <= 1.05 * 470_072 * bytes_a_weight
    assert sorted(path.name for path in (bundles[name].path / "model.mlpackage").iterdir()) == ["Data", "Manifest.json"]


@pytest.mark.parametrize("name", ["xnnpack_fp32", "coreml_fp16"])
def test_convert_when_repeated_then_same_bundle_id_and_same_bytes(
    bundles: dict[str, Bundle], network: Network, name: str, tmp_path: Path
) -> None:
    again = export(network, name, tmp_path)
    assert again.manifest["bundle_id"] == bundles[name].manifest["bundle_id"]
    assert again.manifest["files"] == bundles[name].manifest["files"]


def test_variant_id_when_only_weights_differ_then_same_and_bundle_id_differs(
    bundles: dict[str, Bundle], network: Network, tmp_path: Path
) -> None:
    other = create_untrained_network(SPEC)
    with torch.no_grad():
        other.module.get_parameter("classifier.bias").add_(0.5)
    bundle = export(other, "coreml_fp16", tmp_path)
    assert bundle.manifest["variant_id"] == bundles["coreml_fp16"].manifest["variant_id"]
    assert bundle.manifest["bundle_id"] != bundles["coreml_fp16"].manifest["bundle_id"]
    assert (
        bundle.manifest["model"]["weights"]["sha256"] != bundles["coreml_fp16"].manifest["model"]["weights"]["sha256"]
    )


def test_classifier_when_the_pte_is_cut_then_a_bundle_error(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    broken = Bundle(tmp_path / "b", bundles["xnnpack_fp32"].manifest)
    shutil.copytree(bundles["xnnpack_fp32"].path, broken.path)
    content = (broken.path / "model.pte").read_bytes()
    for kept in (0, 10, 1000):
        (broken.path / "model.pte").write_bytes(content[:kept])
        with pytest.raises(BundleError, match="cannot load"):
            load_classifier(broken).load()


def test_load_classifier_when_the_runtime_is_younger_then_says_so(bundles: dict[str, Bundle]) -> None:
    manifest = json.loads(json.dumps(bundles["xnnpack_fp32"].manifest))
    manifest["target"]["runtime"] = "runtime-of-2030"
    with pytest.raises(UnsupportedError, match="runtime-of-2030"):
        load_classifier(Bundle(bundles["xnnpack_fp32"].path, manifest))


class TwoBranches(nn.Module):
    """A shape that this project does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.left = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=4), nn.ReLU())
        self.right = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(8, 8, 1))
        self.head = nn.Linear(8, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.stem(images)
        features = features + self.left(features) + self.right(features)
        return self.head(features.mean((2, 3)))


@pytest.mark.parametrize("platform", ["android", "ios"])
def test_convert_when_the_module_is_a_strangers_then_it_has_a_bundle_too(platform: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    recipe = find_recipe(None, platform)
    bundle = convert(
        TwoBranches(), InputSpec(40, 32), recipe, tmp_path, weights=RANDOM, labels=["a", "b", "c", "d", "e"]
    )
    assert bundle.manifest["model"]["arch"] is None
    assert bundle.name.startswith(f"module-r32-{recipe.name}-")
    assert bundle.labels() == ("a", "b", "c", "d", "e")
    assert bundle.delegated_share == 1.0
    assert check_golden(bundle, run(bundle, bundle.golden_input()[None])[0]).passed


class DependsOnData(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)) if images.sum() > 0 else -images.mean((2, 3))


def test_convert_when_the_flow_depends_on_data_then_the_users_line_is_named(tmp_path: Path) -> None:
    lines, first = inspect.getsourcelines(DependsOnData.forward)
    line = first + next(number for number, text in enumerate(lines) if " if " in text)
    with pytest.raises(ConversionError) as caught:
        convert(DependsOnData(), InputSpec(32, 32), find_recipe(None, "android"), tmp_path, weights=RANDOM)
    assert f"(at {__file__}:{line})" in str(caught.value)


class NoLogits(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


@pytest.mark.parametrize(
    ("module", "labels", "error", "sentence"),
    [
        (DependsOnData(), None, ConversionError, "torch.export cannot trace"),
        (NoLogits(), None, ConfigError, "logits of shape"),
        (TwoBranches(), ["a"], ConfigError, "there must be 5 labels"),
        (TwoBranches(), ["a", "b\nc", "d", "e", "f"], ConfigError, "one line"),
    ],
)
def test_convert_when_the_module_or_labels_do_not_fit_then_says_so_and_writes_nothing(
    module: nn.Module, labels: Sequence[str] | None, error: type[Exception], sentence: str, tmp_path: Path
) -> None:
    recipe = find_recipe(None, "android")
    with pytest.raises(error, match=sentence):
        convert(module, InputSpec(32, 32), recipe, tmp_path / "out", weights=RANDOM, labels=labels)
    assert list(tmp_path.iterdir()) == []


class Rounds(nn.Module):
    """Its logits are noise once they are rounded to float16."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return ((images.mean((2, 3)) + 4000.0) - 4000.0) * 1.0


def test_convert_when_the_artefact_is_too_far_then_a_parity_error_and_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="too far from the network"):
        convert(Rounds(), InputSpec(32, 32), find_recipe("coreml_fp16", "ios"), tmp_path, weights=RANDOM)
    assert list(tmp_path.iterdir()) == []


def test_convert_when_out_dir_is_a_file_then_the_file_stays(network: Network, tmp_path: Path) -> None:
    path: Any = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(BundleError, match="File exists"):
        export(network, "coreml_fp16", path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"min_runtime": "99.0.0"}, "allowed: 99.0.0 or newer. pip install 'executorch>=99.0.0'"),
        ({"backend": "vulkan"}, "no runtime of this computer runs ExecuTorch programs for vulkan"),
    ],
)
def test_load_classifier_when_this_computer_cannot_run_it_then_says_what_can(
    bundles: dict[str, Bundle], changes: dict[str, str], sentence: str
) -> None:
    manifest = bundles["xnnpack_fp32"].manifest
    bundle = Bundle(bundles["xnnpack_fp32"].path, {**manifest, "target": {**manifest["target"], **changes}})
    with pytest.raises(UnsupportedError) as caught:
        load_classifier(bundle)
    assert sentence in str(caught.value)
