import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobisdk.models.quick_shapes import QuickShapes


def shapes(network: nn.Module, *size: int) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Of every leaf's output: by arithmetic, and as torch itself computes them from values."""
    found: list[list[tuple[int, ...]]] = [[], []]
    leaves = [module for module in network.modules() if not list(module.children())]
    for place, device in enumerate(("meta", "cpu")):
        hooks = [
            leaf.register_forward_hook(lambda _m, _i, out, place=place: found[place].append(tuple(out.shape)))
            for leaf in leaves
        ]
        network = network.to_empty(device=device).eval()
        image = torch.zeros(size, device=device)
        if device == "meta":
            with QuickShapes():
                network(image)
        else:
            network(image)
        for hook in hooks:
            hook.remove()
    return found[0], found[1]


@pytest.mark.parametrize("size", [(2, 4, 31, 13), (1, 4, 12, 13)])
@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, (3, 5), (2, 1), (1, 0)),
        nn.Conv2d(4, 8, 3, 2, 2, dilation=2, groups=4),
        nn.Conv2d(4, 8, 3, padding="same"),
        nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.MaxPool2d(2, 2, padding=1, ceil_mode=True),
        nn.MaxPool2d(3, 1, padding=1),
        nn.AvgPool2d(3, 2, ceil_mode=True),
        nn.AvgPool2d((2, 3)),
        nn.AdaptiveAvgPool2d(3),
        nn.BatchNorm2d(4),
        nn.Linear(13, 5),
        nn.Hardswish(),
    ],
    ids=str,
)
def test_shapes_are_those_that_torch_computes(layer: nn.Module, size: tuple[int, ...]) -> None:
    quick, computed = shapes(layer, *size)

    assert quick == computed


class Arithmetic(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        mean = features.mean(dim=(2, 3), keepdim=True)
        joined = torch.cat([features * mean, 1 - features / 2, features + features[:, :1]], -3)
        chosen = joined.index_select(1, torch.zeros(5, dtype=torch.int64, device=features.device))
        return F.relu(-chosen).mean(-1)


def test_sums_products_and_concatenations_have_the_shapes_that_torch_computes() -> None:
    quick, computed = shapes(nn.Sequential(Arithmetic()), 2, 3, 5, 7)

    assert quick == computed == [(2, 5, 5)]


def test_what_does_not_fit_is_refused_by_torch() -> None:
    with torch.device("meta"), QuickShapes():
        for layer in (nn.Conv2d(4, 6, 3), nn.Linear(4, 2), nn.BatchNorm2d(4), nn.MaxPool2d(9)):
            with pytest.raises(RuntimeError):
                layer(torch.empty(1, 3, 5, 5))
        with pytest.raises(RuntimeError):
            torch.cat([torch.empty(1, 3), torch.empty(2, 2)], 1)


def test_whole_numbers_become_fractions_where_torch_makes_them() -> None:
    with torch.device("meta"), QuickShapes():
        assert (torch.empty(3, dtype=torch.int64) * 2.0).dtype == torch.float32


def test_every_architecture_is_counted_without_torchs_compiler() -> None:
    code = (
        "import dataclasses, sys\nfrom mobisdk.cost import count_spec_cost\nfrom mobisdk.models import list_models\n"
        "from mobisdk.specs import ModelSpec\n[count_spec_cost(ModelSpec(arch)) for arch in list_models()]\n"
        "sys.exit('torch._dynamo' in sys.modules or 'sympy' in sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
