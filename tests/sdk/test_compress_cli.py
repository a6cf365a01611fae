"""`mobisdk compress`, from a checkpoint to a checkpoint."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.sdk.untrained_checkpoint import save_untrained
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.cli.compress import build_configs
from mobisdk.compression import load_network
from mobisdk.compression.low_rank import LowRankConfig
from mobisdk.compression.magnitude_pruning import MagnitudePruningConfig
from mobisdk.cost import count_cost
from mobisdk.errors import ConfigError
from mobisdk.models.untrained import create_untrained_model
from mobisdk.specs import ModelSpec
from mobisdk.training import TrainSpec, fine_tune
from mobisdk.training.compressed import read_compressions
from mobisdk.training.progress import TrainProgress
from mobisdk.training.runs import CHECKPOINT
from mobisdk.training.session import OnProgress

_SOME = "blocks.6.conv,blocks.7.conv,blocks.8.conv"
SPEC = ModelSpec("mobilenet_v1_full_conv", alpha=0.125, resolution=32, num_classes=10)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_untrained(tmp_path_factory.mktemp("base"), SPEC)


def compress(source: Path, runs: Path, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["compress", str(source), "--runs", str(runs), "--json", *options])
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_techniques_chain_and_are_fine_tuned(source: Path, tmp_path: Path) -> None:
    document = compress(
        source, tmp_path, "--method", "prune_channels,low_rank", "--set", "keep=0.6", "--set", "low_rank.ratio=0.6",
        "--finetune-epochs", "1",
    )  # fmt: skip

    checkpoint, network = load_network(Path(document["checkpoint"]))
    assert [record["method"] for record in checkpoint.compression] == ["prune_channels", "low_rank"]
    assert checkpoint.metrics["correct"] == document["correct_after"]
    assert checkpoint.origin["run"] == Path(document["folder"]).name == "network-prune_channels-low_rank"
    assert count_cost(network, (1, 3, 32, 32)).macs == document["macs_after"] < document["macs_before"]
    assert document["correct_after"] > document["correct_before"]  # the teacher knew nothing, labels did
    assert {entry.name for entry in tmp_path.iterdir()} == {"network-prune_channels-low_rank"}
    assert [run.document["methods"] for run in read_compressions(tmp_path)] == [["prune_channels", "low_rank"]]


def test_what_was_compressed_compresses_again_and_clashes_are_refused(source: Path, tmp_path: Path) -> None:
    first = compress(source, tmp_path, "--method", "prune", "--name", "first")
    again = compress(Path(first["checkpoint"]), tmp_path, "--method", "prune", "--set", "sparsity=0.9")
    refused = CliRunner().invoke(app, ["compress", again["checkpoint"], "--method", "cp", "--runs", str(tmp_path)])

    assert Path(again["folder"]).name == "first-prune"
    assert again["size_bytes_after"] < first["size_bytes_after"]
    assert refused.exit_code == 1
    assert "cp would undo what prune did" in refused.stderr


@pytest.mark.parametrize("method", ["low_rank", "prune_channels"])
def test_a_total_of_multiply_adds_is_reached_by_sensitivity(method: str, source: Path, tmp_path: Path) -> None:
    whole = count_cost(create_untrained_model(SPEC, seed=0), (1, 3, 32, 32)).macs

    document = compress(source, tmp_path, "--method", method, "--target-macs", str(whole * 0.8), "--layers", _SOME)

    assert 0.6 * whole < document["macs_after"] <= 0.8 * whole
    assert {"name", "config", "divergence", "macs_saved", "bytes_saved"} == set(document["sensitivity"][0])
    changed = [change["name"] for step in document["steps"] for change in step["changed"]]
    assert set(_SOME.split(",")) & set(changed)


def test_a_size_is_reached_and_one_that_no_setting_reaches_says_the_nearest(source: Path, tmp_path: Path) -> None:
    document = compress(source, tmp_path, "--method", "prune", "--target-size-mb", "1.4", "--layers", _SOME)
    refused = CliRunner().invoke(
        app,
        [
            "compress",
            str(source),
            "--method",
            "prune",
            "--target-size-mb",
            "0.01",
            "--layers",
            _SOME,
            "--runs",
            str(tmp_path / "no"),
        ],
    )

    assert document["size_bytes_after"] <= 1_400_000 < document["size_bytes_before"]
    assert refused.exit_code == 1
    assert (
        "no setting of this technique reaches the target, got '0.01 MB'; allowed: the nearest is 1." in refused.stderr
    )
    assert not any((tmp_path / "no").iterdir())


def test_a_largest_drop_decides(source: Path, tmp_path: Path) -> None:
    """An untrained network has nothing to lose: every layer gets the strongest setting that it can have."""
    document = compress(source, tmp_path, "--method", "low_rank", "--max-drop", "100", "--layers", _SOME)

    assert {step["settings"]["ratio"] for step in document["steps"]} == {0.2}


def test_nothing_is_left_where_no_layer_is_changed(source: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["compress", str(source), "--method", "cp", "--layers", "classifier", "--runs", str(tmp_path)]
    )

    assert result.exit_code == 1
    assert "cp changed no layer" in result.stderr
    assert "classifier" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_table_names_layers_and_reasons(source: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["compress", str(source), "--method", "low_rank", "--runs", str(tmp_path)])

    assert result.exit_code == 0
    assert "tucker_2, rank" in result.stdout
    assert "left alone" in result.stdout
    assert "held-out images right" in result.stdout


def test_settings_find_their_technique() -> None:
    assert build_configs("prune,low_rank", ["sparsity=0.5", "low_rank.scheme=scheme_2", "multiple=4"], None) == (
        MagnitudePruningConfig(sparsity=0.5),
        LowRankConfig(scheme="scheme_2", multiple=4),
    )


@pytest.mark.parametrize(
    ("method", "setting", "message"),
    [
        ("prune", "depth=3", "does not name a setting.*prune.sparsity"),
        ("prune", "sparsity", "does not name a setting"),
        ("prune", "low_rank.ratio=0.5", "does not name a setting"),
        ("prune", "sparsity=much", "of another kind, got 'sparsity=much'; allowed: float"),
        ("shrink", "sparsity=0.5", "method is unknown"),
    ],
)
def test_settings_that_mean_nothing_are_refused(method: str, setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_configs(method, [setting], None)


def test_a_technique_without_settings_to_choose_from_refuses_a_target(source: Path, tmp_path: Path) -> None:
    for target in (("--target-size-mb", "1"), ("--target-macs", "1e6"), ("--max-drop", "1")):
        result = CliRunner().invoke(
            app, ["compress", str(source), "--method", "binary", *target, "--runs", str(tmp_path)]
        )

        assert result.exit_code == 1
        assert "binary has no setting that a target could decide" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_compressed_network_whose_training_was_stopped_is_resumed(source: Path, tmp_path: Path) -> None:
    """Masks and shared weights are built again, and learn on as if nothing had happened."""
    compressed = compress(source, tmp_path, "--method", "prune,deep_compression", "--name", "small", "--layers", _SOME)

    def stop(now: TrainProgress) -> None:
        if now.epoch == 2:
            raise KeyboardInterrupt

    def train(name: str, on_progress: OnProgress | None) -> None:
        checkpoint, network = load_network(Path(compressed["checkpoint"]))
        spec = TrainSpec(SPEC, epochs=2, batch_size=256)
        fine_tune(network, checkpoint, spec, runs=tmp_path, name=name, on_progress=on_progress)

    train("whole", None)
    with pytest.raises(KeyboardInterrupt):
        train("stopped", stop)
    resumed = CliRunner().invoke(app, ["train", "--resume", "stopped", "--runs", str(tmp_path)])

    assert resumed.exit_code == 0, resumed.output
    (checkpoint, network), (_, whole) = (load_network(tmp_path / name / CHECKPOINT) for name in ("stopped", "whole"))
    assert [record["method"] for record in checkpoint.compression] == ["prune", "deep_compression"]
    for name, value in network.state_dict().items():
        assert torch.equal(value, whole.state_dict()[name]), name
    (layer,) = (module for name, module in network.named_modules() if name == _SOME.split(",")[0])
    assert len(layer.weight.unique()) <= 256
