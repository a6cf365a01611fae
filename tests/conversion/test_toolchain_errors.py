"""What a person reads when torch or a backend refuses a network of their own."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mobiconvert import WeightsOrigin, convert, find_recipe
from mobisdk.errors import ConversionError
from mobisdk.specs import InputSpec

SOURCE = Path(__file__).read_text(encoding="utf-8").splitlines()


class Branching(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        if image.sum() > 0:  # what it computes depends on what it sees
            return image.mean((2, 3))
        return image.amax((2, 3))


class Zeta(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return torch.special.zeta(image.mean((2, 3)) + 5, 2.0)  # no backend has this operator


@pytest.mark.parametrize(
    ("network", "line", "sentence"),
    [(Branching(), "if image.sum() > 0:", "data-dependent"), (Zeta(), "torch.special.zeta(image", "special_zeta")],
)
def test_convert_when_the_network_cannot_be_lowered_then_names_reason_and_line(
    network: nn.Module, line: str, sentence: str, tmp_path: Path
) -> None:
    number = next(index + 1 for index, text in enumerate(SOURCE) if line in text)
    with pytest.raises(ConversionError) as caught:
        convert(
            network,
            InputSpec(32, 32),
            find_recipe("xnnpack_fp32", "android"),
            tmp_path / "bundles",
            weights=WeightsOrigin("random", "a test's"),
        )
    assert sentence in str(caught.value)
    assert f"{__file__}:{number}" in str(caught.value)
    assert list((tmp_path / "bundles").glob("*")) == []
