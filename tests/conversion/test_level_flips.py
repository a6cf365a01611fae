"""Two right runtimes may round an activation to two levels; a wrong one is told from them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mobiconvert import WeightsOrigin, convert, find_recipe
from mobiconvert.deployment import DeployedNetwork
from mobiconvert.level_flips import measure_level_flips
from mobisdk.compression.rounded_activation import RoundedReLU
from mobisdk.errors import ParityError
from mobisdk.specs import InputSpec

VIEW = InputSpec(32, 32, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
WHITE = np.full((4, 32, 32, 3), 255, np.uint8)
WEIGHTS = WeightsOrigin("random", "a test's")


class OneActivation(nn.Module):
    """Of a white image: `level`, which is rounded to 0 or 1; logits 4 and 3 times that."""

    def __init__(self, level: float, activation: nn.Module) -> None:
        super().__init__()
        self.level, self.activation = level, activation

    def forward(self, images: Tensor) -> Tensor:
        rounded = self.activation(self.level * images.mean((1, 2, 3)))
        return torch.stack([torch.full_like(rounded, 4.0), 3 * rounded], 1)


def measure(level: float, activation: nn.Module) -> float:
    return measure_level_flips(DeployedNetwork(OneActivation(level, activation), VIEW).eval(), WHITE, "fp32")


def test_flips_when_an_activation_lies_on_a_threshold_then_twice_what_the_level_is_worth() -> None:
    # From 0 to 1 the second logit changes by 3; the largest is 4.
    assert measure(0.5, RoundedReLU(1)) == pytest.approx(2 * 3 / 4)


def test_flips_when_activations_are_far_from_thresholds_then_none() -> None:
    assert measure(0.7, RoundedReLU(1)) == 0


def test_flips_when_nothing_is_rounded_then_none() -> None:
    assert measure(0.5, nn.ReLU()) == 0


class LostInHalfPrecision(nn.Module):
    """Rounds to few levels what float16 has lost: at 4000 its numbers are 2 apart."""

    def __init__(self) -> None:
        super().__init__()
        self.activation = RoundedReLU(4)
        self.activation.step.fill_(1 / 16)

    def forward(self, images: Tensor) -> Tensor:
        return self.activation((images.abs().mean((2, 3)) + 4000.0) - 4000.0)


def test_convert_when_the_artefact_of_a_rounding_network_is_wrong_then_refused(tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="too far from the network"):
        convert(LostInHalfPrecision(), VIEW, find_recipe("coreml_fp16", "ios"), tmp_path, weights=WEIGHTS)
    assert list(tmp_path.iterdir()) == []
