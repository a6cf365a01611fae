"""The evaluator on whole packages: agreement with torch, float16 rounding, and packages that must be refused."""

import dataclasses
import gc
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mobiconvert.mil_evaluator import MilClassifier, evaluate, load_mil_program
from mobiconvert.mil_evaluator.blobs import WeightFile
from mobiconvert.mil_evaluator.coreml_proto import import_messages
from mobiconvert.mil_evaluator.dtypes import DTYPES
from mobiconvert.quiet import quiet_imports
from mobisdk.errors import BundleError, ConfigError, DataError, MobiError, UnsupportedError

with quiet_imports():
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)
    from coremltools.converters.mil.mil import types
    from coremltools.libmilstoragepython import _BlobStorageWriter

gc.freeze()  # `ct.convert` collects garbage, over all of coremltools' own objects: 0.6 s a program otherwise

SIDE = 32
MODEL_FILE = "Data/com.apple.CoreML/model.mlmodel"
WEIGHT_FILE = "Data/com.apple.CoreML/weights/weight.bin"


class SeparableNetwork(nn.Module):
    """A small network with what mobile ones have: separable convolutions, a residual, gates, a pool, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish())
        self.depthwise = nn.Sequential(
            nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False), nn.BatchNorm2d(16), nn.ReLU6()
        )
        self.pointwise = nn.Conv2d(16, 16, 1)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 16, 1), nn.Hardsigmoid())
        self.head = nn.Sequential(
            nn.MaxPool2d(3, 2, ceil_mode=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem((x - 0.5) * 2)
        x = x + self.pointwise(self.depthwise(x))
        return self.head(torch.cat([x * self.gate(x), x], 1))


@dataclasses.dataclass(frozen=True)
class Exported:
    """One network, and its packages with an image input by precision."""

    network: nn.Module
    packages: dict[str, Path]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    torch.manual_seed(3)
    network = SeparableNetwork().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.1, 0.5)
    folder = tmp_path_factory.mktemp("packages")
    with quiet_imports():
        program = torch.export.export(network, (torch.rand(1, 3, SIDE, SIDE),)).run_decompositions({})
        for name, precision in (("fp32", ct.precision.FLOAT32), ("fp16", ct.precision.FLOAT16)):
            ct.convert(
                program,
                inputs=[ct.ImageType(name="image", shape=(1, 3, SIDE, SIDE), scale=1 / 255)],
                outputs=[ct.TensorType(name="logits", dtype=np.float32)],
                compute_precision=precision,
                minimum_deployment_target=ct.target.iOS16,
                skip_model_load=True,
            ).save(str(folder / f"{name}.mlpackage"))
    return Exported(network, {name: folder / f"{name}.mlpackage" for name in ("fp32", "fp16")})


@pytest.fixture
def package(exported: Exported, tmp_path: Path) -> Path:
    """A package of its own to damage."""
    return Path(shutil.copytree(exported.packages["fp16"], tmp_path / "model.mlpackage"))


def _save(program: Any, path: Path, opset: Any = ct.target.iOS16) -> Path:
    with quiet_imports():
        ct.convert(
            program,
            convert_to="mlprogram",
            pass_pipeline=ct.PassPipeline.EMPTY,
            minimum_deployment_target=opset,
            skip_model_load=True,
        ).save(str(path))
    return path


def _image(seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def _classify(package: Path, image: Any) -> Any:
    classifier = MilClassifier(package, "image", "image", "logits")
    classifier.load()
    return classifier.forward(classifier.prepare(image))


def _exact_logits(network: nn.Module, image: Any) -> Any:
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255
    with torch.no_grad():
        return network.double()(pixels).numpy()[0]


# --- agreement ----------------------------------------------------------------------------------------------------


def test_a_float32_network_agrees_with_torch_in_float64(exported: Exported) -> None:
    for seed in range(3):
        exact = _exact_logits(exported.network, _image(seed))
        logits = _classify(exported.packages["fp32"], _image(seed))
        assert logits.dtype == np.float32
        assert logits.shape == (10,)
        assert np.abs(logits - exact).max() <= 1e-5 * np.abs(exact).max()


def test_a_float16_network_differs_by_its_roundings_and_no_more(exported: Exported) -> None:
    # Some twelve roundings lie between pixel and logit, each of at most 2^-11 of its value: 6e-3 if none cancelled.
    # torch's own half precision is off by 3e-4 to 6e-4 on these images, and so is this.
    for seed in range(3):
        exact = _exact_logits(exported.network, _image(seed))
        error = np.abs(_classify(exported.packages["fp16"], _image(seed)) - exact).max() / np.abs(exact).max()
        assert 1e-5 < error < 6e-3, "below 1e-5 nothing was rounded to float16 at all"


def test_logits_follow_the_image(exported: Exported) -> None:
    one, other = (_classify(exported.packages["fp16"], _image(seed)) for seed in (1, 2))
    assert np.abs(one - other).max() > 1e-2


def test_the_classifier_takes_tensors_in_zero_to_one(tmp_path: Path) -> None:
    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 3, 2, 2))], opset_version=ct.target.iOS16)
    def program(x: Any) -> Any:
        return mb.reshape(x=x, shape=[1, 12], name="y")

    classifier = MilClassifier(_save(program, tmp_path / "m.mlpackage"), "x", "tensor", "y")
    classifier.load()
    image = np.arange(0, 240, 20, dtype=np.uint8).reshape(2, 2, 3)
    planes = np.array([0, 60, 120, 180, 20, 80, 140, 200, 40, 100, 160, 220]) / 255
    np.testing.assert_allclose(classifier.forward(classifier.prepare(image)), planes, rtol=1e-6)


# --- rounding -----------------------------------------------------------------------------------------------------


def _add_then_subtract(x: Any, z: Any, precision: Any, folder: Path) -> Any:
    """(x + z) - x by a program that computes in `precision`."""

    @mb.program(
        input_specs=[mb.TensorSpec(shape=(len(x),), dtype=precision) for _ in range(2)],
        opset_version=ct.target.iOS16,
    )
    def program(x: Any, z: Any) -> Any:
        return mb.sub(x=mb.add(x=x, y=z), y=x, name="y")

    loaded = load_mil_program(_save(program, folder / "m.mlpackage"))
    dtype = types.nptype_from_builtin(precision)
    return evaluate(loaded, {"x": np.array(x, dtype), "z": np.array(z, dtype)})["y"]


def test_every_result_is_rounded_to_float16_where_the_program_says_so(tmp_path: Path) -> None:
    # float16 steps by 2 from 2048 on, a tie goes to the even neighbour, and past 65504 there is only ∞.
    differences = _add_then_subtract([2048, 2050, 60000], [1, 1, 6000], types.fp16, tmp_path)
    assert differences.dtype == np.float16
    np.testing.assert_array_equal(differences, [0, 2, np.inf])


def test_float32_programs_are_not_rounded(tmp_path: Path) -> None:
    differences = _add_then_subtract([2048, 2050, 60000], [1, 1, 6000], types.fp32, tmp_path)
    assert differences.dtype == np.float32
    np.testing.assert_array_equal(differences, [1, 1, 6000])


def test_sums_within_an_operation_are_wider_than_float16(tmp_path: Path) -> None:
    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 3000), dtype=types.fp16)], opset_version=ct.target.iOS16)
    def program(x: Any) -> Any:
        return mb.linear(x=x, weight=np.ones((1, 3000), np.float16), name="y")

    loaded = load_mil_program(_save(program, tmp_path / "m.mlpackage"))
    # Adding ones in float16 would stop at 2048.
    assert evaluate(loaded, {"x": np.ones((1, 3000), np.float16)})["y"].item() == 3000


# --- memory -------------------------------------------------------------------------------------------------------


def test_every_value_is_released_after_its_last_reader(exported: Exported) -> None:
    program = load_mil_program(exported.packages["fp16"])
    released = [name for step in program.steps for name in step.released]
    made = [name for step in program.steps for name, _ in step.results]
    assert sorted(released) == sorted(set(made) - {"logits"})
    for index, step in enumerate(program.steps):
        later = {name for each in program.steps[index + 1 :] for name in each.value_names()}
        assert not later & set(step.released)


# --- operations that are not known --------------------------------------------------------------------------------


@pytest.fixture
def unknown_operation(tmp_path: Path) -> Path:
    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 20))], opset_version=ct.target.iOS16)
    def program(x: Any) -> Any:
        weighted = mb.linear(x=x, weight=np.ones((20, 20), np.float32))
        return mb.non_zero(x=weighted, name="places")

    return _save(program, tmp_path / "m.mlpackage")


def test_an_unknown_operation_is_refused_by_name(unknown_operation: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"operation non_zero \(places\).*not known.*Mac"):
        load_mil_program(unknown_operation)


def test_unknown_operations_are_found_before_anything_is_read_or_run(unknown_operation: Path) -> None:
    (unknown_operation / WEIGHT_FILE).unlink()
    with pytest.raises(UnsupportedError, match="non_zero"):
        load_mil_program(unknown_operation)


def test_an_unknown_mode_of_a_known_operation_is_refused(tmp_path: Path) -> None:
    @mb.program(input_specs=[mb.TensorSpec(shape=(2, 3, 4))], opset_version=ct.target.iOS17)
    def program(x: Any) -> Any:
        updates = np.ones((2, 1, 4), np.float32)
        return mb.scatter(data=x, indices=np.array([1], np.int32), updates=updates, axis=1, mode="div", name="shares")

    path = _save(program, tmp_path / "m.mlpackage", ct.target.iOS17)
    with pytest.raises(UnsupportedError, match=r"scatter \(shares\) has a mode that is not known.*'div'"):
        load_mil_program(path)


def test_an_unknown_input_of_a_known_operation_is_refused(package: Path) -> None:
    def widen(model: Any) -> None:
        operation = next(o for o in _operations(model) if o.type == "conv")
        operation.inputs["novelty"].CopyFrom(operation.inputs["x"])

    _edit_model(package, widen)
    with pytest.raises(
        UnsupportedError, match=r"operation conv .* is of a form that the evaluator does not know.*novelty"
    ):
        load_mil_program(package)


# --- packages that are not what they should be --------------------------------------------------------------------


def _operations(model: Any) -> Any:
    function = model.mlProgram.functions["main"]
    return function.block_specializations[function.opset].operations


def _edit_model(package: Path, change: Callable[[Any], None]) -> None:
    model = import_messages("Model_pb2").Model.FromString((package / MODEL_FILE).read_bytes())
    change(model)
    (package / MODEL_FILE).write_bytes(model.SerializeToString())


def _edit_manifest(package: Path, change: Callable[[Any], None]) -> None:
    manifest = json.loads((package / "Manifest.json").read_text())
    change(manifest)
    (package / "Manifest.json").write_text(json.dumps(manifest))


def test_the_message_classes_are_coremltools_own() -> None:
    assert import_messages("Model_pb2").Model is ct.proto.Model_pb2.Model


@pytest.mark.parametrize("missing", ["Manifest.json", MODEL_FILE, WEIGHT_FILE])
def test_a_missing_file_is_named(package: Path, missing: str) -> None:
    (package / missing).unlink()
    with pytest.raises(BundleError, match=missing.rpartition("/")[2]):
        load_mil_program(package)


def test_a_package_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "m.mlpackage").write_bytes(b"zip?")
    for path in (tmp_path / "m.mlpackage", tmp_path / "nowhere.mlpackage"):
        with pytest.raises(BundleError, match="folder"):
            load_mil_program(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"{}", b'{"itemInfoEntries": 3}'])
def test_a_manifest_that_is_none_is_refused(package: Path, content: bytes) -> None:
    (package / "Manifest.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"Manifest\.json"):
        load_mil_program(package)


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/hostname", "a/../../b", "", ".", "C:/x", "a\\..\\b", "a\0b", None, 7]
)
def test_a_manifest_that_leads_outside_is_refused(package: Path, path: Any) -> None:
    def change(manifest: Any) -> None:
        manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = path

    _edit_manifest(package, change)
    with pytest.raises(BundleError, match=r"points outside the package|has no path"):
        load_mil_program(package)


@pytest.mark.parametrize("root", ["nobody", None, 3])
def test_a_manifest_without_a_root_model_is_refused(package: Path, root: Any) -> None:
    _edit_manifest(package, lambda manifest: manifest.update(rootModelIdentifier=root))
    with pytest.raises(BundleError, match="root model"):
        load_mil_program(package)


@pytest.mark.parametrize("linked", [MODEL_FILE, WEIGHT_FILE, "Data/com.apple.CoreML/weights"])
def test_links_are_refused(package: Path, tmp_path: Path, linked: str) -> None:
    outside = tmp_path / "outside"
    (package / linked).rename(outside)
    (package / linked).symlink_to(outside)
    with pytest.raises(BundleError, match="link"):
        load_mil_program(package)


@pytest.mark.parametrize(
    "name", ["@model_path/../../Manifest.json", "/etc/hostname", "@model_path/", "weights/weight.bin"]
)
def test_a_constant_that_names_a_file_elsewhere_is_refused(package: Path, name: str) -> None:
    def change(model: Any) -> None:
        constants = (o.attributes["val"] for o in _operations(model) if o.type == "const")
        constant = next(value for value in constants if value.WhichOneof("value") == "blobFileValue")
        constant.blobFileValue.fileName = name

    _edit_model(package, change)
    with pytest.raises(BundleError, match="weight file"):
        load_mil_program(package)


def test_a_truncated_model_is_refused_wherever_it_is_cut(package: Path) -> None:
    whole = (package / MODEL_FILE).read_bytes()
    for length in np.linspace(0, len(whole) - 1, 25).astype(int):
        (package / MODEL_FILE).write_bytes(whole[:length])
        with pytest.raises(BundleError, match=r"damaged or truncated|empty"):
            load_mil_program(package)


def test_a_truncated_weight_file_is_refused_wherever_it_is_cut(package: Path) -> None:
    whole = (package / WEIGHT_FILE).read_bytes()
    for length in np.linspace(0, len(whole) - 1, 25).astype(int):
        (package / WEIGHT_FILE).write_bytes(whole[:length])
        with pytest.raises(BundleError, match=r"truncated|damaged"):
            load_mil_program(package)


@pytest.mark.parametrize(
    ("offset", "sentence"),
    [
        (4, "not a Core ML weight file"),
        (64, "no record"),
        (68, "another type"),
        (72, "number of bytes"),
        (85, "truncated"),
    ],
)
def test_a_weight_file_with_a_wrong_record_is_refused(package: Path, offset: int, sentence: str) -> None:
    content = bytearray((package / WEIGHT_FILE).read_bytes())
    content[offset] ^= 0x15
    (package / WEIGHT_FILE).write_bytes(content)
    with pytest.raises(BundleError, match=sentence):
        load_mil_program(package)


def test_a_neural_network_is_not_a_program(package: Path) -> None:
    def change(model: Any) -> None:
        model.ClearField("mlProgram")
        model.neuralNetwork.layers.add().name = "conv"

    _edit_model(package, change)
    with pytest.raises(UnsupportedError, match="only ML programs"):
        load_mil_program(package)


def test_a_program_that_reads_what_nothing_made_is_refused(package: Path) -> None:
    def change(model: Any) -> None:
        next(o for o in _operations(model) if o.type == "conv").inputs["x"].arguments[0].name = "nowhere"

    _edit_model(package, change)
    with pytest.raises(BundleError, match=r"nothing made.*nowhere"):
        load_mil_program(package)


def test_a_program_that_declares_a_wrong_shape_is_refused(package: Path) -> None:
    def change(model: Any) -> None:
        operation = next(o for o in _operations(model) if o.type == "conv")
        operation.outputs[0].type.tensorType.dimensions[1].constant.size = 17

    _edit_model(package, change)
    with pytest.raises(BundleError, match=r"conv .*another shape.*17"):
        _classify(package, _image())


def test_an_operation_that_cannot_be_computed_is_named(package: Path) -> None:
    def change(model: Any) -> None:
        operations = _operations(model)
        groups = next(o for o in operations if o.type == "conv").inputs["groups"].arguments[0].name
        constant = next(o for o in operations if o.outputs[0].name == groups)
        constant.attributes["val"].immediateValue.tensor.ints.values[0] = 7

    _edit_model(package, change)
    with pytest.raises(BundleError, match=r"operation conv .* cannot be computed"):
        _classify(package, _image())


def test_any_flipped_bit_is_refused_or_harmless(package: Path) -> None:
    whole = (package / MODEL_FILE).read_bytes()
    random = np.random.default_rng(5)
    refused = 0
    for place in random.integers(0, len(whole), 150):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << random.integers(8)
        (package / MODEL_FILE).write_bytes(flipped)
        try:
            _classify(package, _image())
        except MobiError:
            refused += 1
    assert refused > 50


# --- inputs and outputs -------------------------------------------------------------------------------------------


def test_a_program_run_with_other_inputs_says_which_it_takes(exported: Exported) -> None:
    program = load_mil_program(exported.packages["fp16"])
    pixels = np.zeros((1, 3, SIDE, SIDE), np.float32)
    with pytest.raises(DataError, match=r"takes other inputs.*allowed: image"):
        evaluate(program, {"photo": pixels})
    with pytest.raises(DataError, match="another shape"):
        evaluate(program, {"image": pixels[..., 1:]})


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("photo", "image", "logits"), "takes other inputs"),
        (("image", "tensor", "logits"), "of another kind"),
        (("image", "image", "classes"), "makes other outputs"),
    ],
)
def test_a_classifier_for_another_program_does_not_load(exported: Exported, names: Any, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        MilClassifier(exported.packages["fp16"], *names).load()


def test_an_image_of_another_channel_order_is_refused(package: Path) -> None:
    def change(model: Any) -> None:
        model.description.input[0].type.imageType.colorSpace = 30  # BGR

    _edit_model(package, change)
    with pytest.raises(UnsupportedError, match=r"not RGB.*BGR"):
        MilClassifier(package, "image", "image", "logits").load()


def test_a_closed_classifier_says_that_it_must_be_loaded(exported: Exported) -> None:
    classifier = MilClassifier(exported.packages["fp16"], "image", "image", "logits")
    classifier.load()
    classifier.close()
    classifier.close()
    with pytest.raises(ConfigError, match="not loaded"):
        classifier.forward(classifier.prepare(_image()))


# --- weight files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["int4", "int8", "int16", "int32", "uint1", "uint2", "uint3", "uint4", "uint6", "uint8", "uint16"]
)
def test_weight_files_of_coremltools_are_read_back(name: str, tmp_path: Path) -> None:
    bits = int(name.lstrip("uint"))
    low, high = (0, 1 << bits) if name.startswith("u") else (-(1 << (bits - 1)), 1 << (bits - 1))
    values = np.random.default_rng(bits).integers(low, high, 37)
    writer = _BlobStorageWriter(str(tmp_path / "weight.bin"))
    offset = getattr(writer, f"write_{name}_data")(values.astype(DTYPES[name].stored))
    del writer  # closes the file
    read = WeightFile(tmp_path / "weight.bin").read(offset, DTYPES[name], len(values))
    np.testing.assert_array_equal(read, values)
