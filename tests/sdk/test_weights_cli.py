import json
import os
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from tests.sdk.published_states import STATES, fill
from typer.testing import CliRunner

from mobisdk.bundle import read_bundle
from mobisdk.cli.app import app
from mobisdk.cli.weights import convert_pickle
from mobisdk.errors import DataError


class Bomb:
    """A pickle that makes a file where it is loaded as one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def run(*arguments: str):
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"state_dict": state, "epoch": 3}])
def test_a_state_dict_becomes_safetensors(wrap, tmp_path: Path) -> None:
    state = {"module.a.weight": torch.randn(2, 3), "b": torch.randn(4).expand(2, 4)}
    torch.save(wrap(state), tmp_path / "weights.pth")

    result = run("weights", "convert", str(tmp_path / "weights.pth"), str(tmp_path / "weights.safetensors"), "--json")

    assert json.loads(result.stdout) == {"path": str(tmp_path / "weights.safetensors"), "tensors": 2}
    converted = safetensors.torch.load_file(tmp_path / "weights.safetensors")
    assert set(converted) == {"a.weight", "b"}
    assert torch.equal(converted["a.weight"], state["module.a.weight"])
    assert torch.equal(converted["b"], state["b"])


def test_nothing_of_a_pickle_is_run(tmp_path: Path) -> None:
    torch.save({"weight": Bomb(tmp_path / "ran")}, tmp_path / "bomb.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))

    result = run("weights", "convert", str(tmp_path / "bomb.pth"), str(tmp_path / "out.safetensors"))
    with pytest.raises(DataError, match="nothing of it was run"):
        convert_pickle(tmp_path / "plain.pth", tmp_path / "out.safetensors")

    assert result.exit_code == 1
    assert "this is no pickle of weights alone, and nothing of it was run" in result.stderr
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there are no weights here"),
        ({}, "the file holds no state dict"),
        ([1, 2], "the file holds no state dict"),
    ],
)
def test_bad_conversions_are_refused(content, sentence: str, tmp_path: Path) -> None:
    if content is not None:
        torch.save(content, tmp_path / "weights.pth")

    with pytest.raises(DataError, match=sentence):
        convert_pickle(tmp_path / "weights.pth", tmp_path / "out.safetensors")

    assert not (tmp_path / "out.safetensors").exists()


def test_the_target_must_be_safetensors(tmp_path: Path) -> None:
    result = run("weights", "convert", str(tmp_path / "weights.pth"), str(tmp_path / "out.bin"))

    assert result.exit_code == 1
    assert "the target must be a safetensors file" in result.stderr


def test_list_names_publishers_and_architectures() -> None:
    rows = json.loads(run("weights", "list", "--json").stdout)["publications"]

    assert {"name": "torchvision/mobilenet_v2", "arch": "mobilenet_v2", "changes": {}} in rows
    assert "timm/mobilenetv1_100" in run("weights", "list").stdout


def test_published_weights_are_exported_with_what_they_expect(tmp_path: Path) -> None:
    weights = tmp_path / "mobilenetv1.safetensors"
    safetensors.torch.save_file(fill(STATES["timm/mobilenetv1_100"]()), weights)
    common = ["--target", "android", "--arch", "mobilenet_v1", "--weights", str(weights)]
    folders = ["--output", str(tmp_path / "bundles"), "--runs", str(tmp_path / "runs")]

    result = run("export", *common, "--resolution", "64", *folders, "--json")

    assert result.exit_code == 0, result.stderr
    assert "as timm/mobilenetv1_100 publishes them" in result.stderr
    manifest = read_bundle(Path(json.loads(result.stdout)[0]["path"])).manifest
    assert manifest["model"]["spec"]["activation"] == "relu6"
    assert manifest["model"]["weights"]["source"] == "hub"
    assert manifest["input"]["preprocess"]["mean"] == [0.5, 0.5, 0.5]
    assert run("export", *common, "--untrained", *folders).exit_code == 1
    assert "published weights are of one network" in run("export", *common, "--resolution", "64,96", *folders).stderr
