"""Rounding that costs too much is refused with the layers that do the damage; training with it makes it cost less."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mobiconvert import Calibration, WeightsOrigin, convert, find_recipe
from mobiconvert.quantization import quantize
from mobiconvert.quantization_aware import train_quantized
from mobisdk.errors import ConfigError, ParityError
from mobisdk.specs import InputSpec

SIDE = 16
SPEC = InputSpec(SIDE, SIDE, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
WEIGHTS = WeightsOrigin("checkpoint", "a test's")


def coloured(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Noise in which one of three channels is a little brighter than the others: that is the class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, count)
    pixels = random.integers(90, 110, (count, SIDE, SIDE, 3))
    pixels[np.arange(count), :, :, labels] += 60
    return pixels.astype(np.uint8), labels


CALIBRATION = Calibration("paint", *coloured(32, 0), *coloured(60, 1))


class Lifts(nn.Module):
    """Names the brightest channel; on the way all numbers are lifted to a thousand, where 8 bits tell none apart."""

    def __init__(self, lift: float) -> None:
        super().__init__()
        self.up, self.down = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            for layer, bias in ((self.up, lift), (self.down, -lift)):
                layer.weight.copy_(torch.eye(3)[:, :, None, None])
                layer.bias.fill_(bias)

    def forward(self, image: Tensor) -> Tensor:
        return self.down(self.up(image)).mean((2, 3), keepdim=True).flatten(1)


def test_convert_when_rounding_collapses_the_network_then_refused_with_the_layers_that_did_it(tmp_path: Path) -> None:
    recipe = find_recipe("xnnpack_int8", "android")
    with pytest.raises(ParityError) as caught:
        convert(Lifts(1000.0), SPEC, recipe, tmp_path, weights=WEIGHTS, calibration=CALIBRATION)
    assert "the network names 100.0% right" in str(caught.value)
    assert "worst SQNR are down " in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_convert_when_the_collapse_is_wanted_then_the_manifest_is_marked(tmp_path: Path) -> None:
    recipe = find_recipe("xnnpack_int8", "android")
    bundle = convert(Lifts(1000.0), SPEC, recipe, tmp_path, weights=WEIGHTS, calibration=CALIBRATION, keep_anyway=True)
    held_out = bundle.manifest["parity"]["held_out"]
    assert held_out["kept_anyway"]
    assert held_out["artefact_top1"] < 0.9
    assert held_out["worst_layers"][0]["layer"] == "down"
    assert bundle.manifest["calibration"]["source"] == "paint"
    assert bundle.manifest["calibration"]["images"] == 32


def test_convert_when_the_recipe_trains_and_there_are_no_images_then_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="xnnpack_int8_qat trains, and needs labelled images"):
        convert(Lifts(0.0), SPEC, find_recipe("xnnpack_int8_qat", "android"), tmp_path, weights=WEIGHTS)


def test_train_quantized_when_compared_with_rounding_alone_then_its_loss_is_lower() -> None:
    from mobiconvert.executorch.xnnpack import xnnpack_quantizer

    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)
    )
    program = torch.export.export(nn.Sequential(network).eval(), (torch.rand(1, 3, SIDE, SIDE),))
    images, labels = coloured(512, 2)

    def loss(graph: torch.nn.Module) -> float:
        batch = torch.from_numpy(images[:64]).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            logits = torch.cat([graph(image[None]) for image in batch])
        return float(F.cross_entropy(logits, torch.from_numpy(labels[:64])))

    rounded = quantize(program, xnnpack_quantizer(), images[:64])
    trained = train_quantized(program, xnnpack_quantizer(trains=True), images, labels)
    assert loss(trained.module(check_guards=False)) < loss(rounded.module(check_guards=False)) - 0.001
    operators = {str(node.target) for node in trained.graph.nodes}
    assert "quantized_decomposed.dequantize_per_channel.default" in operators
    assert not any("fake_quant" in name for name in operators)


def test_train_quantized_when_repeated_then_the_same_weights() -> None:
    from mobiconvert.executorch.xnnpack import xnnpack_quantizer

    program = torch.export.export(nn.Sequential(Lifts(0.0)).eval(), (torch.rand(1, 3, SIDE, SIDE),))
    images, labels = coloured(64, 3)
    first, second = (
        train_quantized(program, xnnpack_quantizer(trains=True), images, labels).state_dict for _ in range(2)
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
