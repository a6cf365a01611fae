"""SQNR layer by layer, against errors put in by hand."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mobiconvert.folding import fold_batch_norms
from mobiconvert.layer_sqnr import LayerOutput, LayerSqnr, measure_layers, tap_mil_program, tap_program, worst_layers
from mobiconvert.mil_evaluator import load_mil_program
from mobiconvert.parity import HIGHEST_SQNR_DB, LOWEST_SQNR_DB
from mobiconvert.quiet import quiet_imports
from mobisdk.errors import UnsupportedError

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.pointwise = nn.Conv2d(4, 6, 1)
        self.head = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        return self.head(torch.relu(self.pointwise(x)).mean((2, 3)))


def small() -> Small:
    torch.manual_seed(2)
    network = Small().eval()
    nn.init.uniform_(network.norm.running_var, 0.2, 0.6)
    return network


def export(network: nn.Module) -> torch.export.ExportedProgram:
    return torch.export.export(network, (torch.rand(1, 3, 8, 8),))


def names(layers: tuple[LayerSqnr, ...]) -> list[str]:
    return [layer.layer for layer in layers]


def test_layers_when_one_is_scaled_then_it_and_what_follows_show_it() -> None:
    changed = small()
    with torch.no_grad():
        changed.pointwise.weight *= 1.1
        changed.pointwise.bias *= 1.1
    layers = measure_layers(tap_program(export(small())), tap_program(export(changed)), IMAGES)
    assert names(layers) == ["stem", "pointwise", "head"]
    assert [layer.kind for layer in layers] == ["convolution", "convolution", "product"]
    assert layers[0].sqnr_db == HIGHEST_SQNR_DB
    # An output 1.1 times itself has an error of a tenth: 20 dB.
    assert layers[1].sqnr_db == pytest.approx(20, abs=1e-3)
    assert layers[2].sqnr_db < 60
    assert [layer.layer for layer in worst_layers(layers, 1)] == [min(layers, key=lambda each: each.sqnr_db).layer]


def test_layers_when_the_norm_is_folded_in_one_of_them_then_they_are_the_same_layers() -> None:
    program = export(small())
    folded = export(fold_batch_norms(small(), program))
    for layer in measure_layers(tap_program(program), tap_program(folded), IMAGES):
        assert layer.sqnr_db > 100


@pytest.mark.parametrize(("precision", "low", "high"), [("FLOAT32", 100, 200), ("FLOAT16", 45, 80)])
def test_layers_of_a_core_ml_program_are_the_networks(precision: str, low: float, high: float, tmp_path: Path) -> None:
    with quiet_imports():
        import coremltools as ct

        program = export(small())
        ct.convert(
            program.run_decompositions({}),
            inputs=[ct.ImageType(name="image", shape=(1, 3, 8, 8), scale=1 / 255)],
            compute_precision=getattr(ct.precision, precision),
            minimum_deployment_target=ct.target.iOS16,
            skip_model_load=True,
        ).save(str(tmp_path / "m.mlpackage"))
    tap = tap_mil_program(load_mil_program(tmp_path / "m.mlpackage"))
    layers = measure_layers(tap_program(program), tap, IMAGES)
    assert names(layers) == ["stem", "pointwise", "head"]
    for layer in layers:
        assert low < layer.sqnr_db < high  # float16 rounds to 11 bits: some 6 dB each


def test_layers_when_the_networks_differ_then_says_so() -> None:
    other = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(256, 2)).eval()
    with pytest.raises(UnsupportedError, match=r"cannot be compared one by one.*2 layers.*3 of the same sizes"):
        measure_layers(tap_program(export(small())), tap_program(export(other)), IMAGES)


def test_layers_when_an_output_is_not_a_number_then_it_is_the_worst() -> None:
    layer = LayerOutput("stem", "convolution", np.ones((1, 2)))
    broken = dataclasses.replace(layer, values=np.array([[1, np.nan]]))
    figures = measure_layers(lambda _: [layer, layer], lambda _: [layer, broken], IMAGES)
    assert [each.sqnr_db for each in figures] == [HIGHEST_SQNR_DB, LOWEST_SQNR_DB]
    assert worst_layers(figures, 1) == [figures[1]]
