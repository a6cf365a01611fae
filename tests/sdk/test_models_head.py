import pytest
import torch
from torch import nn

from mobisdk.errors import UnsupportedError
from mobisdk.models import create_model
from mobisdk.models.head import replace_head_
from mobisdk.specs import ModelSpec


@pytest.mark.parametrize("arch", ["mobilenet_v1", "mobilenet_v3_small", "squeezenet_1_1", "inception_v3"])
def test_head_is_replaced_and_all_else_stays(arch: str) -> None:
    resolution = 75 if arch == "inception_v3" else 32
    network = create_model(ModelSpec(arch=arch, alpha=0.25, resolution=resolution, num_classes=10)).eval()
    before = dict(network.named_parameters())

    replace_head_(network, 3)

    after = dict(network.named_parameters())
    changed = {name for name in after if after[name] is not before[name]}
    assert list(after) == list(before)
    assert changed == {name for name in before if "classifier." in name}
    with torch.inference_mode():
        assert network(torch.randn(2, 3, resolution, resolution)).shape == (2, 3)


def test_head_when_it_was_taken_apart_then_unsupported_error() -> None:
    network = create_model(ModelSpec(alpha=0.25, resolution=32, num_classes=10))
    network.classifier = nn.Sequential(nn.Linear(256, 4), nn.Linear(4, 10))

    with pytest.raises(UnsupportedError, match=r"classifier.*Sequential.*dense layer"):
        replace_head_(network, 3)
