"""A stranger's .mlpackage, checked with one command: packages of other layers, inputs, colours and faults."""

import gc
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from mobiconvert.mil_evaluator import describe_package
from mobiconvert.mil_evaluator.coreml_proto import import_messages
from mobiconvert.quiet import quiet_imports
from mobisdk.cli.app import app
from mobisdk.cli.verify_package import verify_package

with quiet_imports():
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)

gc.freeze()

MODEL_FILE = "Data/com.apple.CoreML/model.mlmodel"
WEIGHT_FILE = "Data/com.apple.CoreML/weights/weight.bin"


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)))


def checks_of(path: Path) -> dict[str, Any]:
    return {check.name: check for check in verify_package(path)}


def convert(module: nn.Module, path: Path, takes: Any, **options: Any) -> Path:
    """A package as a stranger makes it: traced, not exported, with names of their own."""
    with quiet_imports():
        traced = torch.jit.trace(module.eval(), torch.rand(1, takes[0], 24, 32))
        ct.convert(traced, inputs=[takes[1]], skip_model_load=True, **options).save(str(path))
    return path


def network(channels: int = 3) -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, stride=2), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
    )


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strangers")
    image = ct.ImageType(name="photo", shape=(1, 3, 24, 32), scale=1 / 127.5, bias=[-1, -1, -1])
    return convert(network(), folder / "strangers.mlpackage", (3, image), minimum_deployment_target=ct.target.iOS15)


@pytest.fixture
def package(strangers: Path, tmp_path: Path) -> Path:
    """One of its own to damage."""
    return Path(shutil.copytree(strangers, tmp_path / "m.mlpackage"))


def edit(package: Path, change: Callable[[Any], None]) -> None:
    model = import_messages("Model_pb2").Model.FromString((package / MODEL_FILE).read_bytes())
    change(model)
    (package / MODEL_FILE).write_bytes(model.SerializeToString())


def test_package_when_it_is_another_tools_then_one_command_opens_lists_and_evaluates_it(strangers: Path) -> None:
    result = run("verify", strangers, "--json")
    assert result.exit_code == 0, result.output
    (document,) = json.loads(result.stdout)["bundles"]
    checks = {check["name"]: check for check in document["checks"]}
    assert list(checks) == ["package", "weights", "operations", "Neural Engine", "evaluation"]
    assert all(check["ok"] for check in checks.values())
    assert checks["package"]["figures"]["needs"] == "iOS 15"
    assert checks["package"]["figures"]["inputs"] == {"photo": "RGB image, 32×24"}
    assert checks["operations"]["figures"]["operations"]["conv"] == 1
    assert checks["operations"]["figures"]["unknown"] == []
    assert checks["weights"]["figures"]["values"] == pytest.approx(8 * 27 + 8 * 5, abs=13)  # biases lie in the program
    assert checks["weights"]["figures"]["types"].keys() == {"fp16"}
    (output,) = checks["evaluation"]["figures"]["outputs"]
    assert output["shape"] == "1×5"


def test_package_when_printed_then_a_person_reads_the_same(strangers: Path) -> None:
    result = run("verify", strangers)
    assert result.exit_code == 0
    for words in ("specification 6 (iOS 15)", "RGB image, 32×24", "1 × conv", "all are known", "china and flower"):
        assert words in result.stdout


def test_evaluation_is_of_the_photograph_as_torch_sees_it(strangers: Path) -> None:
    """The largest output and its place, by torch in float32 on the photograph cut and scaled by Pillow."""
    from PIL import Image, ImageOps

    from mobisdk.data.photographs import load_photographs

    fitted = ImageOps.fit(Image.fromarray(load_photographs()[0].pixels), (32, 24), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.asarray(fitted).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        expected = network().eval()(pixels)[0]
    (row,) = checks_of(strangers)["evaluation"].rows
    assert row["largest at"] == str(int(expected.argmax()))
    assert float(row["highest"]) == pytest.approx(float(expected.max()), rel=1e-2)
    assert float(row["lowest"]) == pytest.approx(float(expected.min()), rel=1e-2)


@pytest.mark.parametrize(
    ("channels", "takes"),
    [
        (3, ct.ImageType(name="x", shape=(1, 3, 24, 32), color_layout=ct.colorlayout.BGR)),
        (1, ct.ImageType(name="x", shape=(1, 1, 24, 32), color_layout=ct.colorlayout.GRAYSCALE)),
        (3, ct.TensorType(name="x", shape=(1, 3, 24, 32))),
        (3, ct.ImageType(name="x", shape=ct.Shape((1, 3, ct.RangeDim(20, 40, 24), 32)))),
    ],
    ids=["BGR", "GRAYSCALE", "tensor", "several sizes"],
)
def test_package_when_it_takes_another_kind_of_photograph_then_it_gets_one(
    channels: int, takes: Any, tmp_path: Path
) -> None:
    path = convert(network(channels), tmp_path / "m.mlpackage", (channels, takes))
    check = checks_of(path)["evaluation"]
    assert check.ok, check.found


def _save(program: Any, path: Path) -> Path:
    with quiet_imports():
        ct.convert(
            program,
            convert_to="mlprogram",
            pass_pipeline=ct.PassPipeline.EMPTY,
            minimum_deployment_target=ct.target.iOS16,
            skip_model_load=True,
        ).save(str(path))
    return path


def test_package_when_an_operation_is_not_known_then_it_is_named_and_nothing_fails(tmp_path: Path) -> None:
    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 3, 4, 4))], opset_version=ct.target.iOS16)
    def program(x: Any) -> Any:
        return mb.non_zero(x=mb.relu(x=x), name="places")

    path = _save(program, tmp_path / "m.mlpackage")
    result = run("verify", path)
    assert result.exit_code == 0
    assert "operation non_zero (places) of the program is not known" in result.stdout
    assert "Core ML on a Mac" in result.stdout
    assert [check.ok for check in verify_package(path)] == [True, True, None, True, None]


def test_package_when_its_input_is_no_photograph_then_says_what_it_takes(tmp_path: Path) -> None:
    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 7))], opset_version=ct.target.iOS16)
    def program(x: Any) -> Any:
        return mb.relu(x=x, name="y")

    check = checks_of(_save(program, tmp_path / "m.mlpackage"))["evaluation"]
    assert check.ok is None
    assert "x fp32 (1, 7)" in check.found


@pytest.mark.parametrize(
    ("scale", "words"), [(0.0, "the same for both"), (1e38, "not a number")], ids=["looks at nothing", "overflows"]
)
def test_package_when_its_outputs_cannot_be_right_then_it_fails(scale: float, words: str, tmp_path: Path) -> None:
    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 3, 8, 8))], opset_version=ct.target.iOS16)
    def program(x: Any) -> Any:
        return mb.mul(x=mb.mul(x=x, y=np.float32(scale)), y=np.float32(1e4), name="y")

    result = run("verify", _save(program, tmp_path / "m.mlpackage"))
    assert result.exit_code == 1
    assert "FAIL evaluation" in result.stdout
    assert words in result.stdout


def test_package_when_its_blob_is_truncated_then_it_fails_in_one_line(package: Path) -> None:
    os.truncate(package / WEIGHT_FILE, 200)
    result = run("verify", package)
    assert result.exit_code == 1
    assert "FAIL package: weight.bin is truncated" in result.stdout


def test_package_when_there_is_none_then_it_fails(tmp_path: Path) -> None:
    result = run("verify", tmp_path / "nowhere.mlpackage")
    assert result.exit_code == 1
    assert "FAIL package: a Core ML package is a folder" in result.stdout


def test_package_when_it_is_a_neural_network_then_says_how_to_convert_it(package: Path) -> None:
    def change(model: Any) -> None:
        model.ClearField("mlProgram")
        model.neuralNetwork.layers.add().name = "conv"

    edit(package, change)
    result = run("verify", package)
    assert result.exit_code == 0
    assert 'Convert with convert_to="mlprogram"' in result.stdout


def test_package_of_another_name_is_known_by_its_content(strangers: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(strangers, tmp_path / "renamed"))
    assert run("verify", copy).exit_code == 0


def test_describe_package_counts_compressed_weights_once(tmp_path: Path) -> None:
    """A palette of iOS 18: indices and a table are stored, and one weight is made of them."""
    with quiet_imports():
        import coremltools.optimize.coreml as opt

        program = torch.export.export(nn.Linear(32, 64).eval(), (torch.rand(1, 32),)).run_decompositions({})
        model = ct.convert(program, minimum_deployment_target=ct.target.iOS18, skip_model_load=True)
        config = opt.OptimizationConfig(opt.OpPalettizerConfig(mode="uniform", nbits=4, weight_threshold=0))
        opt.palettize_weights(model, config).save(str(tmp_path / "m.mlpackage"))
    weights = describe_package(tmp_path / "m.mlpackage").weights
    assert weights.types == {"uint4": 64 * 32, "fp16": 16 + 64}  # 64 biases
    assert weights.values == 64 * 32 + 64
    assert weights.stored_bytes == 64 * 32 / 2 + 2 * (16 + 64)
    assert weights.unpacking == {"constexpr_lut_to_dense": 1}
    assert weights.bits == pytest.approx(8 * 1184 / 2112)


class CoreMLOfAMac:
    """Stands where Core ML would: answers with what it is told to."""

    answer = np.zeros(5, np.float32)

    def __init__(self, *names: object) -> None:
        self.names = names

    def load(self) -> None: ...

    def prepare(self, image: Any) -> Any:
        assert image.shape == (24, 32, 3)
        return image

    def forward(self, prepared: Any) -> Any:
        assert prepared.dtype == np.uint8
        return self.answer

    def close(self) -> None: ...


@pytest.mark.parametrize(("factor", "ok"), [(1.01, True), (1.5, False)])
def test_on_a_mac_core_ml_itself_is_asked_too(
    factor: float, ok: bool, strangers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image, ImageOps

    from mobiconvert.coreml import prediction
    from mobiconvert.mil_evaluator import evaluate, load_mil_program
    from mobisdk.data.photographs import load_photographs

    fitted = ImageOps.fit(Image.fromarray(load_photographs()[0].pixels), (32, 24), Image.Resampling.BILINEAR)
    planes = np.asarray(fitted, np.float32).transpose(2, 0, 1)[None]
    (ours,) = evaluate(load_mil_program(strangers), {"photo": planes}).values()
    monkeypatch.setattr(CoreMLOfAMac, "answer", factor * ours[0].astype(np.float32))
    monkeypatch.setattr(prediction, "CoreMLClassifier", CoreMLOfAMac)
    monkeypatch.setattr("sys.platform", "darwin")
    check = checks_of(strangers)["Core ML itself"]
    assert check.ok is ok
    assert check.figures["relative_error"] == pytest.approx(factor - 1, abs=1e-3)
