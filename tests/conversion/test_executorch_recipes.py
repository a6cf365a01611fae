"""Every ExecuTorch recipe, opened: the backend and the precision of its name are really in the file."""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mobiconvert import RECIPES, Calibration, WeightsOrigin, convert, find_recipe, load_classifier
from mobiconvert.quiet import quiet_imports
from mobisdk.bundle import Bundle
from mobisdk.cli.networks import Network, convert_network, create_untrained_network
from mobisdk.errors import BundleError, ConversionError, UnsupportedError
from mobisdk.specs import InputSpec, ModelSpec

SPEC = ModelSpec(alpha=0.25, resolution=32, num_classes=10)
Export = Callable[[str], Bundle]


@pytest.fixture(scope="module")
def network() -> Network:
    return create_untrained_network(SPEC)


@pytest.fixture(scope="module")
def export(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Export by a recipe's name, once a recipe."""
    folder = tmp_path_factory.mktemp("bundles")
    platforms = {recipe.name: recipe.platform for recipe in RECIPES}
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (32, 32, 32, 3), dtype=np.uint8)
    labels = random.integers(0, 10, 32)
    to_learn = Calibration("noise", images, labels, images, labels)

    @cache
    def export_once(name: str) -> Bundle:
        recipe = find_recipe(name, platforms[name])
        calibration = to_learn if recipe.trains else None
        return convert_network(network, recipe, folder, calibration=calibration, max_drop=100)

    return export_once


def open_program(bundle: Bundle) -> Any:
    with quiet_imports():
        from executorch.exir._serialize._program import deserialize_pte_binary

        return deserialize_pte_binary(bundle.model_path.read_bytes())


def delegate_ids(bundle: Bundle) -> list[str]:
    (plan,) = open_program(bundle).program.execution_plan
    return [delegate.id for delegate in plan.delegates]


def kernels(bundle: Bundle) -> set[str]:
    (plan,) = open_program(bundle).program.execution_plan
    return {operator.name for operator in plan.operators}


def open_xnnpack_graph(bundle: Bundle) -> dict[str, Any]:
    """The delegate's flatbuffer as JSON: what XNNPACK itself will read."""
    with quiet_imports():
        from executorch.backends.xnnpack.serialization import xnnpack_graph_serialize as serialize
        from executorch.exir._serialize._flatbuffer import _flatc_decompile

        program = open_program(bundle).program
        (plan,) = program.execution_plan
        blob = program.backend_delegate_data[plan.delegates[0].processed.index].data
        header = serialize.XNNHeader.from_bytes(blob[: serialize.XNNHeader.EXPECTED_LENGTH])
    flatbuffer = blob[header.flatbuffer_offset : header.flatbuffer_offset + header.flatbuffer_size]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "schema.fbs").write_bytes(serialize._get_schema_bytes())
        (folder / "graph.bin").write_bytes(flatbuffer)
        _flatc_decompile(name, str(folder / "schema.fbs"), str(folder / "graph.bin"), ["--raw-binary"])
        text = (folder / "graph.json").read_text()
    graph: dict[str, Any] = json.loads(re.sub(r": (-?)inf\b", r": \1Infinity", text))
    return graph


def datatypes_of_convolutions(graph: dict[str, Any]) -> set[tuple[str, str]]:
    """What convolutions and dense layers read and give, by XNNPACK's names."""
    types = {}
    for value in graph["xvalues"]:
        inner = value["xvalue_union"]
        tensor = inner.get("tensor_value", inner)
        types[tensor["id_out"]] = tensor["datatype"]
    layers = [node["xnode_union"] for node in graph["xnodes"] if "filter_id" in node["xnode_union"]]
    assert len(layers) == 28  # thirteen blocks of two, the stem, the classifier
    return {(types[layer["input1_id"]], types[layer["output_id"]]) for layer in layers}


@pytest.mark.parametrize(
    ("recipe", "datatype"),
    [
        ("xnnpack_fp32", "xnn_datatype_fp32"),
        ("xnnpack_fp16", "xnn_datatype_fp16"),
        ("xnnpack_int8", "xnn_datatype_qint8"),
        ("xnnpack_int8_qat", "xnn_datatype_qint8"),
    ],
)
def test_xnnpack_when_opened_then_every_layer_is_in_one_delegate_and_in_that_precision(
    export: Export, recipe: str, datatype: str
) -> None:
    bundle = export(recipe)
    assert delegate_ids(bundle) == ["XnnpackBackend"]
    assert bundle.delegated_share == 1.0
    assert datatypes_of_convolutions(open_xnnpack_graph(bundle)) == {(datatype, datatype)}


@pytest.mark.parametrize("recipe", ["xnnpack_int8", "xnnpack_int8_qat"])
def test_xnnpack_int8_when_opened_then_weights_have_a_scale_for_each_channel(export: Export, recipe: str) -> None:
    graph = open_xnnpack_graph(export(recipe))
    weights = [
        value["xvalue_union"]
        for value in graph["xvalues"]
        if value["xvalue_union"].get("tensor_value", {}).get("datatype") == "xnn_datatype_qcint8"
    ]
    assert len(weights) == 28
    for weight in weights:
        quantization = weight["quant_params"]
        assert quantization["num_scales"] == weight["tensor_value"]["dims"][quantization["channel_dim"]]


def test_xnnpack_fp16_when_opened_then_only_the_two_casts_are_left_to_kernels(export: Export) -> None:
    assert kernels(export("xnnpack_fp16")) == {"dim_order_ops::_to_dim_order_copy"}


def test_portable_when_opened_then_there_is_no_delegate(export: Export) -> None:
    bundle = export("portable_fp32")
    assert delegate_ids(bundle) == []
    assert {"aten::convolution", "aten::addmm", "aten::relu"} <= kernels(bundle)
    assert bundle.delegated_share == 0.0


def open_vulkan_graph(bundle: Bundle) -> Any:
    with quiet_imports():
        from executorch.backends.vulkan.serialization import vulkan_graph_serialize as serialize

        program = open_program(bundle).program
        (plan,) = program.execution_plan
        blob = program.backend_delegate_data[plan.delegates[0].processed.index].data
        return serialize.flatbuffer_to_vk_graph(serialize.extract_vk_flatbuffer(blob))


@pytest.mark.parametrize(("recipe", "datatype"), [("vulkan_fp32", "FLOAT32"), ("vulkan_fp16", "FLOAT16")])
def test_vulkan_when_opened_then_weights_and_activations_are_in_that_precision(
    export: Export, recipe: str, datatype: str
) -> None:
    bundle = export(recipe)
    assert delegate_ids(bundle) == ["VulkanBackend"]
    assert kernels(bundle) == set()
    values = [value.value for value in open_vulkan_graph(bundle).values]
    tensors = [value for value in values if type(value).__name__ == "VkTensor"]
    assert {tensor.datatype.name for tensor in tensors} == {datatype}
    assert sum(tensor.constant_id >= 0 for tensor in tensors) >= 2 * 28  # a weight and a bias a layer


def test_vulkan_int8_when_opened_then_every_layer_is_an_int8_kernel(export: Export) -> None:
    bundle = export("vulkan_int8")
    assert delegate_ids(bundle) == ["VulkanBackend"]
    assert kernels(bundle) == set()
    names = Counter(call.name.split(".")[1] for call in open_vulkan_graph(bundle).chain)
    assert {name: count for name, count in names.items() if "conv" in name or "linear" in name} == {
        "q8ta_conv2d": 1,
        "q8ta_conv2d_pw": 13,
        "q8ta_conv2d_dw": 13,
        "q8ta_linear_gemv": 1,
    }


def test_coreml_delegate_when_opened_then_one_package_with_float16_weights(export: Export, tmp_path: Path) -> None:
    from mobiconvert.executorch.coreml_delegate import unpack_delegate

    bundle = export("executorch_coreml_fp16")
    assert delegate_ids(bundle) == ["CoreMLBackend"]
    assert kernels(bundle) == set()
    assert bundle.delegated_share == 1.0
    program = open_program(bundle).program
    package, _, _ = unpack_delegate(program.backend_delegate_data[0].data, tmp_path)
    weights = (package / "Data/com.apple.CoreML/weights/weight.bin").stat().st_size
    params = bundle.manifest["model"]["params"]
    assert 2 * 0.95 * params <= weights <= 2 * 1.1 * params
    assert sorted(path.name for path in package.parent.iterdir()) == ["metadata.json", "model.mlpackage"]


def test_coreml_delegate_when_loaded_then_the_package_inside_is_what_runs(export: Export) -> None:
    bundle = export("executorch_coreml_fp16")
    classifier = load_classifier(bundle)
    classifier.load()
    logits = classifier.forward(classifier.prepare(bundle.golden_input()))
    error = np.abs(logits - bundle.golden_output()).max()
    assert 0 < error <= bundle.manifest["golden"]["tolerance"]


@pytest.mark.parametrize("kept", [0, 100, 4000])
def test_coreml_delegate_when_the_file_is_cut_then_a_bundle_error(export: Export, tmp_path: Path, kept: int) -> None:
    from mobiconvert.executorch.delegate_classifier import CoreMLDelegateClassifier

    path = tmp_path / "model.pte"
    path.write_bytes(export("executorch_coreml_fp16").model_path.read_bytes()[:kept])
    with pytest.raises(BundleError, match="cannot be read"):
        CoreMLDelegateClassifier(path).load()


def test_unpack_files_when_a_name_leads_out_of_the_folder_then_refused(tmp_path: Path) -> None:
    from executorch.backends.apple.coreml import executorchcoreml

    from mobiconvert.executorch.delegate_files import unpack_files

    (tmp_path / "in/sub").mkdir(parents=True)
    (tmp_path / "in/sub/name.txt").write_text("text")
    blob = executorchcoreml.flatten_directory_contents(str(tmp_path / "in"))
    unpack_files(blob, tmp_path / "out")
    assert (tmp_path / "out/sub/name.txt").read_text() == "text"
    with pytest.raises(ValueError, match="plain name"):
        unpack_files(blob.replace(b"txt.eman", b"zz/../.."), tmp_path / "hostile")
    for damaged in (b"", blob[1:20], blob[:-5], blob.replace(b"5:", b"9:").replace(b"4:", b"999:")):
        with pytest.raises(ValueError, match=r".+"):
            unpack_files(damaged, tmp_path / "damaged")


@pytest.mark.parametrize("recipe", ["executorch_coreml_fp16", "vulkan_fp16"])
def test_export_when_repeated_then_the_same_bytes(
    export: Export, network: Network, recipe: str, tmp_path: Path
) -> None:
    bundle = export(recipe)
    again = convert_network(network, find_recipe(recipe, bundle.target.platform), tmp_path)
    assert again.manifest["files"] == bundle.manifest["files"]
    assert again.manifest["bundle_id"] == bundle.manifest["bundle_id"]


@pytest.mark.parametrize("recipe", ["qnn_fp16", "qnn_int8"])
@pytest.mark.parametrize("root", [None, "a folder without the SDK"])
def test_qnn_when_the_sdk_is_missing_then_says_what_to_install(
    network: Network, recipe: str, root: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QNN_SDK_ROOT", raising=False)
    if root:
        monkeypatch.setenv("QNN_SDK_ROOT", root)
    with pytest.raises(UnsupportedError) as caught:
        convert_network(network, find_recipe(recipe, "android"), tmp_path)
    for part in (recipe, "QNN_SDK_ROOT", "libQnnHtp.so", "https://softwarecenter.qualcomm.com"):
        assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_qnn_when_the_sdk_is_a_shell_then_the_graph_reaches_qualcomms_own_library(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Import, quantizer, passes and options are ExecuTorch's own; the first thing that is not here is Qualcomm's."""
    library = tmp_path / "qnn" / "lib/x86_64-linux-clang/libQnnHtp.so"
    library.parent.mkdir(parents=True)
    library.touch()
    monkeypatch.setenv("QNN_SDK_ROOT", str(tmp_path / "qnn"))
    uses_mkldnn = torch.backends.mkldnn.enabled
    with pytest.raises(ConversionError, match="Failed to initialize QNN backend"):
        convert_network(network, find_recipe("qnn_int8", "android"), tmp_path / "out")
    assert torch.backends.mkldnn.enabled == uses_mkldnn
    assert list((tmp_path / "out").iterdir()) == []


class Flips(torch.nn.Module):
    """A mean that the backends want written otherwise, and an operator that XNNPACK has not."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 8, 3, stride=2)
        self.head = torch.nn.Linear(8, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(torch.flip(self.stem(images), [2]).mean((2, 3)))


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ("xnnpack_fp32", {"mean.dim": "mean.dim only supports keepdim=True"}),
        ("vulkan_fp32", {"mean.dim": "op args not supported"}),
        ("portable_fp32", {"convolution.default": "the recipe has no backend"}),
    ],
)
def test_delegation_when_operators_are_left_then_each_has_its_reason(
    recipe: str, reason: dict[str, str], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    bundle = convert(
        Flips(),
        InputSpec(32, 32),
        find_recipe(recipe, "android"),
        tmp_path,
        weights=WeightsOrigin("random", "a test's"),
    )
    delegation = bundle.manifest["delegation"]
    found = {entry["op"]: entry["reason"] for entry in delegation["fallback"]}
    assert ("flip.default" in found) == (recipe != "vulkan_fp32")
    for operator, start in reason.items():
        assert found[operator].startswith(start)
    assert delegation["ops_total"] == delegation["ops_delegated"] + sum(e["count"] for e in delegation["fallback"])
    assert bundle.delegated_share == (0.0 if recipe == "portable_fp32" else 1.0)


class MovesValues(torch.nn.Module):
    """Between its layers values are cut out, and framed with zeros, before the next one brings a range of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.left, self.right = torch.nn.Conv2d(4, 8, 1), torch.nn.Conv2d(8, 8, 1)
        self.classifier = torch.nn.Linear(8, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(image))
        framed = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(x, (1, 1, 1, 1)), 3, 1)
        first, second = x[:, :4], x[:, 4:]
        mixed = torch.cat([first + second, first - second], 1)
        return self.classifier((self.left(mixed[:, 2:6]) + self.right(framed)).mean((2, 3)))


def convert_moving(folder: Path) -> Bundle:
    torch.manual_seed(0)
    recipe = find_recipe("xnnpack_int8", "android")
    return convert(MovesValues().eval(), InputSpec(16, 16), recipe, folder, weights=WeightsOrigin("random", "a test's"))


def test_xnnpack_int8_when_values_are_only_moved_then_their_range_moves_with_them(tmp_path: Path) -> None:
    bundle = convert_moving(tmp_path)
    assert bundle.delegated_share == 1.0
    assert bundle.manifest["parity"]["sqnr_db"] > 25
    assert bundle.manifest["target"]["weights"] == {
        "compressed": {"tensors": 4, "elements": 8 * 27 + 8 * 4 + 8 * 8 + 5 * 8},
        "kept": [],
    }


def test_convert_when_the_runtime_refuses_what_was_lowered_then_no_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mobiconvert.executorch import xnnpack

    monkeypatch.setattr(xnnpack, "_share_range_of_input", id)
    with pytest.raises(ConversionError, match="xnnpack_int8: xnnpack wrote a program that its runtime does not load"):
        convert_moving(tmp_path)
    assert list(tmp_path.iterdir()) == []
