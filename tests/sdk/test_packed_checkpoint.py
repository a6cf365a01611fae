import json
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.compression import compress_, load_network, restructure_
from mobisdk.compression.deep_compression import DeepCompressionConfig
from mobisdk.compression.packed_checkpoint import read_packed, write_packed
from mobisdk.compression.product_quantization import ProductQuantizationConfig
from mobisdk.compression.technique import TechniqueConfig
from mobisdk.errors import ConfigError, DataError
from mobisdk.models.checkpoint import Checkpoint, load_weights_, save_checkpoint, weights_sha256
from mobisdk.models.untrained import create_untrained_model
from mobisdk.specs import InputSpec, ModelSpec

SPEC = ModelSpec(arch="mobilenet_v1", alpha=0.25, resolution=32, num_classes=10)


def make(config: TechniqueConfig) -> tuple[Checkpoint, nn.Module]:
    network = create_untrained_model(SPEC, seed=0)
    record = compress_(network, config, images=torch.rand(2, 3, 32, 32)).record
    labels = tuple("0123456789")
    return Checkpoint(SPEC, InputSpec.for_resolution(32), labels, (record,), {"run": "é"}, {"loss": 0.1}), network


def test_checkpoint_when_packed_then_comes_back_bit_for_bit(tmp_path: Path) -> None:
    checkpoint, network = make(DeepCompressionConfig(convolution_bits=4, sparsity=0.7))
    save_checkpoint(tmp_path / "network.safetensors", checkpoint, network.state_dict())
    sizes = write_packed(tmp_path / "network.mdc", checkpoint, network.state_dict())

    read, state, again = read_packed(tmp_path / "network.mdc")

    assert read == checkpoint
    assert weights_sha256(state) == weights_sha256(network.state_dict())
    assert again == sizes
    assert len(sizes) == len(checkpoint.compression[0]["layers"])
    fresh = create_untrained_model(SPEC, seed=1)
    restructure_(fresh, read.compression)
    load_weights_(fresh, state)
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(fresh.eval()(images), load_network(tmp_path / "network.safetensors")[1](images))
    assert (tmp_path / "network.mdc").stat().st_size < 0.25 * 4 * sum(
        p.numel() for p in create_untrained_model(SPEC, seed=0).parameters()
    )


def test_checkpoint_when_no_layer_shares_weights_then_refused(tmp_path: Path) -> None:
    checkpoint, network = make(ProductQuantizationConfig(bits=4, correct_error=False))
    with pytest.raises(ConfigError, match="no layer shares weights"):
        write_packed(tmp_path / "network.mdc", checkpoint, network.state_dict())
    assert not list(tmp_path.iterdir())


def test_file_when_missing_or_of_something_else_then_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_packed(tmp_path / "nothing.mdc")
    (tmp_path / "text.mdc").write_text("MDC?")
    with pytest.raises(DataError, match=r"no \.mdc file"):
        read_packed(tmp_path / "text.mdc")


def test_commands_when_a_network_is_packed_and_unpacked_then_it_is_the_same(tmp_path: Path) -> None:
    plain = Checkpoint(SPEC, InputSpec.for_resolution(32), tuple("0123456789"))
    save_checkpoint(tmp_path / "plain.safetensors", plain, create_untrained_model(SPEC, seed=0).state_dict())
    settings = [
        "--set",
        "convolution_bits=4",
        "--set",
        "sparsity=0.7",
        "--runs",
        str(tmp_path / "runs"),
        "--name",
        "small",
    ]

    done = CliRunner().invoke(
        app, ["compress", str(tmp_path / "plain.safetensors"), "--method", "deep_compression", *settings, "--json"]
    )

    assert done.exit_code == 0, done.output
    folder = tmp_path / "runs" / "small"
    packed = json.loads(done.stdout)["packed"]
    assert packed["size_bytes"] == (folder / "last.mdc").stat().st_size
    assert all(layer["size_bytes"] < 4 * layer["elements"] for layer in packed["layers"])
    unpacked = tmp_path / "again.safetensors"
    done = CliRunner().invoke(app, ["weights", "unpack", str(folder / "last.mdc"), str(unpacked), "--json"])
    assert done.exit_code == 0, done.output
    assert unpacked.read_bytes() == (folder / "last.safetensors").read_bytes()
    (folder / "last.mdc").write_bytes((folder / "last.mdc").read_bytes()[:-1])
    done = CliRunner().invoke(app, ["weights", "unpack", str(folder / "last.mdc"), str(unpacked)])
    assert done.exit_code == 1
    assert "damaged" in done.output
