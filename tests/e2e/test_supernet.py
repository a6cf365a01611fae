"""From a supernet to a bundle of one of its widths: what the phone runs is what the supernet is at that width."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from mobiconvert import load_classifier
from mobisdk.bundle import read_bundle
from mobisdk.cli.app import app
from mobisdk.data import decode_images, open_dataset
from mobisdk.data.batches import normalize
from mobisdk.models.checkpoint import load_model
from mobisdk.models.supernet import calibration_order, slice_network
from mobisdk.specs import ModelSpec
from mobisdk.training import read_run

SHORT = ("--stem-stride", "2", "--epochs", "6")


def run(*arguments: object) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run("train", "--supernet", "--alphas", "0.1..0.2", *SHORT, "--name", "super", "--runs", folder)
    return folder


@torch.no_grad()
def test_exported_slice_equals_the_supernet_at_that_width(runs: Path, tmp_path: Path) -> None:
    result = run(
        *("export", "--target", "android", "--recipe", "xnnpack_fp32", "--checkpoint", "super", "--alpha", "0.15"),
        *("--runs", runs, "--output", tmp_path, "--json"),
    )
    bundle = read_bundle(Path(json.loads(result.stdout)[0]["path"]))

    assert bundle.manifest["model"]["spec"]["alpha"] == 0.15
    assert bundle.manifest["model"]["weights"]["source"] == "checkpoint"
    # The supernet itself, with every channel silenced that a width of 0.15 has not, and that width's statistics.
    checkpoint, wide = load_model(runs / "super" / "last.safetensors")
    dataset = open_dataset("digits")
    chosen = [dataset.train[index] for index in calibration_order(len(dataset.train), 32)]
    seen = normalize(torch.from_numpy(decode_images(chosen, checkpoint.input, cache=tmp_path).pixels), checkpoint.input)
    spec = dataclasses.replace(checkpoint.model, alpha=0.15)
    statistics = dict(slice_network(wide, spec, seen).named_buffers())
    for name, module in wide.named_modules():
        if isinstance(module, nn.BatchNorm2d | nn.Conv2d):
            channels = module.weight.shape[0]
            full = next(width for width in (32, 64, 128, 256, 512, 1024) if int(0.2 * width + 1e-9) == channels)
            kept = int(0.15 * full + 1e-9)
            module.weight[kept:] = 0
            if isinstance(module, nn.BatchNorm2d):
                module.bias[kept:] = 0
                module.running_mean[:kept] = statistics[f"{name}.running_mean"]
                module.running_var[:kept] = statistics[f"{name}.running_var"]
            assert kept < channels, name
    test = decode_images(dataset.test[:20], checkpoint.input, cache=tmp_path)
    expected = wide.double()(normalize(torch.from_numpy(test.pixels), checkpoint.input).double()).numpy()
    classifier = load_classifier(bundle)
    classifier.load()
    found = np.stack([classifier.forward(classifier.prepare(pixels)) for pixels in test.pixels])
    classifier.close()
    # Of the logits' scale: the artefact computes in float32, whose rounding grows with the numbers.
    scale = np.abs(expected).max()
    assert np.abs(found - expected).max() < 1e-5 * scale
    assert expected.std(0).max() > 0.01 * scale


def test_export_without_a_checkpoint_finds_the_supernet_and_verify_its_very_weights(runs: Path, tmp_path: Path) -> None:
    result = run(
        *("export", "--target", "android", "--recipe", "xnnpack_fp32", "--alpha", "0.125", "--resolution", "32"),
        *("--runs", runs, "--output", tmp_path, "--json"),
    )

    document = json.loads(result.stdout)[0]
    assert (document["alpha"], document["weights_source"]) == (0.125, "checkpoint")
    verified = run("verify", document["path"], "--images", "digits", "--limit", "20", "--runs", runs)
    assert "20" in verified.stdout


def test_export_when_the_supernet_was_not_trained_for_it_then_the_range_is_shown(runs: Path, tmp_path: Path) -> None:
    arguments = (
        "export",
        "--target",
        "android",
        "--checkpoint",
        "super",
        "--runs",
        str(runs),
        "--output",
        str(tmp_path),
    )

    narrow = CliRunner().invoke(app, [*arguments, "--alpha", "0.05"])
    small = CliRunner().invoke(app, [*arguments, "--alpha", "0.15", "--resolution", "48"])

    assert narrow.exit_code == small.exit_code == 1
    assert "the supernet was not trained for this alpha, got 0.05; allowed: 0.1 to 0.2" in narrow.stderr
    assert "the supernet was not trained for this resolution, got 48; allowed: 32" in small.stderr
    assert not list(tmp_path.iterdir())


def test_runs_show_says_what_each_width_names_right(runs: Path) -> None:
    shown = run("runs", "show", "super", "--runs", runs)
    document = json.loads(run("runs", "show", "super", "--runs", runs, "--json").stdout)

    for line in read_run(runs / "super").metrics[-1]["widths"]:
        assert f"α {line['alpha']:g} at 32: {line['accuracy']:.1%} of held-out images right" in shown.stdout
    assert [line["alpha"] for line in document["metrics"][-1]["widths"]] == [0.2, 0.1]
    assert ModelSpec(**document["plan"]["model"]).alpha == 0.2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--supernet", "--alpha", "0.5"], "Give --alphas in place of --alpha"),
        (["--alphas", "0.1..0.2"], "are a supernet's"),
        (["--supernet", "--alphas", "0.2..0.1"], "alphas must rise"),
        (["--supernet", "--alphas", "0.1-0.2"], "--alphas cannot be read"),
        (["--supernet", "--resolutions", "32,48", "--resolution", "32"], "exclude each other"),
        (["--supernet", "--arch", "deep_fried", "--alphas", "0.5..1.0"], "FastfoodLinear"),
        (["--temperature", "3"], "need a teacher"),
        (["--teacher", "nowhere.safetensors"], "no checkpoint here"),
        (["--teacher", "nowhere.safetensors", "--distill-mix", "2"], "mix must be a number"),
        (["--teacher", "hf://nobody"], "an owner and a name"),
    ],
)
def test_train_when_a_method_is_wrong_then_one_line_and_nothing_written(
    tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    result = CliRunner().invoke(app, ["train", *arguments, "--runs", str(tmp_path / "runs")])

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert complaint in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()
