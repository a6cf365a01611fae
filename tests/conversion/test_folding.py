import pytest
import torch
from torch import nn

from mobiconvert.folding import fold_batch_norms


class Shapes(nn.Module):
    """One batch norm that can be folded, and three that cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, groups=1, bias=False)
        self.follows = nn.BatchNorm2d(4)
        self.shared = nn.Conv2d(4, 4, 1)
        self.after_shared = nn.BatchNorm2d(4)
        self.read_twice = nn.Conv2d(4, 4, 1)
        self.after_read_twice = nn.BatchNorm2d(4)
        self.after_relu = nn.BatchNorm2d(4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = torch.relu(self.follows(self.first(images)))
        features = self.after_shared(self.shared(self.shared(features)))
        twice = self.read_twice(features)
        return self.after_relu(torch.relu(twice + self.after_read_twice(twice)))


@pytest.fixture
def network() -> Shapes:
    torch.manual_seed(0)
    network = Shapes()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(tensor, 0.5, 2.0)
    return network.eval()


def test_fold_batch_norms_takes_only_those_that_nothing_else_reads(network: Shapes) -> None:
    images = torch.rand(2, 3, 9, 9)
    expected = network(images)
    folded = fold_batch_norms(network, torch.export.export(network, (images,)))
    torch.testing.assert_close(folded(images), expected, rtol=1e-5, atol=1e-6)
    norms = {name for name, module in folded.named_modules() if isinstance(module, nn.BatchNorm2d)}
    assert norms == {"after_shared", "after_read_twice", "after_relu"}


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_fold_batch_norms_takes_transposed_convolutions_in_groups(groups: int) -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(8)
    for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        nn.init.uniform_(tensor, 0.5, 2.0)
    network = nn.Sequential(nn.ConvTranspose2d(4, 8, 2, 2, groups=groups), norm).eval()
    images = torch.rand(2, 4, 5, 6)

    folded = fold_batch_norms(network, torch.export.export(network, (images,)))

    torch.testing.assert_close(folded(images), network(images), rtol=1e-5, atol=1e-6)
    assert isinstance(folded[1], nn.Identity)


def test_fold_batch_norms_leaves_norms_without_statistics_or_factors() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False)).eval()
    images = torch.rand(2, 3, 5, 6)

    folded = fold_batch_norms(network, torch.export.export(network, (images,)))

    torch.testing.assert_close(folded(images), network(images), rtol=1e-5, atol=1e-6)


def test_fold_batch_norms_leaves_the_network_as_it_was(network: Shapes) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fold_batch_norms(network, torch.export.export(network, (torch.rand(2, 3, 9, 9),)))
    assert {name for name, _ in network.named_modules()} >= {"follows", "first"}
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])
        assert tensor.dtype == before[name].dtype
