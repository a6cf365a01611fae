from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from mobisdk.cost import LayerCost, cost_by_kind, count_cost, count_spec_cost
from mobisdk.errors import ConfigError, UnsupportedError
from mobisdk.layers import FastfoodLinear
from mobisdk.models import create_model, list_models
from mobisdk.specs import ModelSpec

# Howard et al. 2017, tables 6 and 7, to the last digit.
TABLE = {
    1.0: (4_231_976, {224: 568_740_352, 192: 418_121_728, 160: 290_675_200, 128: 186_400_768}),
    0.75: (2_585_560, {224: 325_400_448, 192: 239_273_472, 160: 166_396_800, 128: 106_770_432}),
    0.5: (1_331_592, {224: 149_497_088, 192: 109_970_432, 160: 76_524_800, 128: 49_160_192}),
    0.25: (470_072, {224: 41_030_272, 192: 30_212_608, 160: 21_059_200, 128: 13_570_048}),
}


class Devices(TorchDispatchMode):
    """Notes on which device every tensor was made."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for value in made if isinstance(made, tuple | list) else (made,):
            if isinstance(value, Tensor):
                self.seen.add(value.device.type)
        return made


@pytest.mark.parametrize("alpha", TABLE)
@pytest.mark.parametrize("resolution", [224, 192, 160, 128])
def test_all_sixteen_rows_of_the_paper_are_met(alpha: float, resolution: int) -> None:
    params, macs = TABLE[alpha]

    cost = count_spec_cost(ModelSpec(alpha=alpha, resolution=resolution))

    assert (cost.params, cost.macs, cost.size_bytes) == (params, macs[resolution], 4 * params)


def test_shallow_network_is_the_papers() -> None:
    cost = count_spec_cost(ModelSpec("mobilenet_v1_shallow"))

    assert (round(cost.params / 1e6, 1), round(cost.macs / 1e6)) == (2.9, 307)  # table 5


def test_full_convolution_network_is_the_papers() -> None:
    cost = count_spec_cost(ModelSpec("mobilenet_v1_full_conv"))
    classifier = next(layer for layer in cost.layers if layer.kind == "dense")

    # Table 4. Its 4866 leaves the classifier's 1.024 million out, which its 569 for the separable network counts.
    assert round(cost.params / 1e6, 1) == 29.3
    assert round((cost.macs - classifier.macs) / 1e6) == 4866


def test_kinds_have_the_shares_of_table_2() -> None:
    kinds = {kind.kind: kind for kind in cost_by_kind(count_spec_cost(ModelSpec()))}

    shares = {
        name: (round(100 * kind.macs_share, 2), round(100 * kind.weights_share, 2)) for name, kind in kinds.items()
    }

    assert shares == {
        "conv1x1": (94.86, 74.59),
        "depthwise": (3.06, 1.06),
        "conv": (1.91, 0.02),  # printed as 1.19 in the paper, whose column then adds up to 99.29
        "dense": (0.18, 24.33),
        "norm": (0.0, 0.0),
    }
    assert next(iter(kinds)) == "conv1x1"  # the costliest first
    assert {name: kind.layers for name, kind in kinds.items()} == {
        "conv1x1": 13,
        "depthwise": 13,
        "conv": 1,
        "dense": 1,
        "norm": 27,
    }


@pytest.mark.parametrize("arch", list_models())
def test_multiply_adds_are_those_that_torch_counts(arch: str) -> None:
    spec = ModelSpec(arch, alpha=0.5, resolution=97, num_classes=11, stem_stride=1)
    with torch.device("meta"):
        model, image = create_model(spec).eval(), torch.empty(1, 3, 97, 97)
    with FlopCounterMode(display=False) as counter:
        model(image)

    # Torch counts no multiplication with a diagonal.
    diagonals = sum(3 * module.signs.numel() for module in model.modules() if isinstance(module, FastfoodLinear))
    assert (count_spec_cost(spec).macs - diagonals) * 2 == counter.get_total_flops()


# Published with the weights, by torchvision and timm.
@pytest.mark.parametrize(
    ("arch", "params"),
    [
        ("squeezenet_1_0", 1_248_424),
        ("squeezenet_1_1", 1_235_496),
        ("xception", 22_855_952),
        ("inception_v3", 27_161_264),
        ("mobilenet_v2", 3_504_872),
        ("mobilenet_v3_large", 5_483_032),
        ("mobilenet_v3_small", 2_542_856),
    ],
)
def test_parameters_are_the_published_ones(arch: str, params: int) -> None:
    assert count_spec_cost(ModelSpec(arch)).params == params


@pytest.mark.parametrize(
    ("arch", "resolution", "million_params", "million_macs"),
    [
        ("mobilenet_v2", 224, 3.5, 300),  # Sandler et al. 2018, table 4: 300; 3.4 million, 3.5 with biases and norms
        ("mobilenet_v3_large", 224, 5.5, 219),  # Howard et al. 2019, table 3: 219, 5.4
        ("mobilenet_v3_small", 224, 2.5, 56),  # 56, 2.5
        ("mobilenet_v4_conv_small", 224, 3.8, 186),  # Qin et al. 2024, table 5: 0.2 G, 3.8
        ("mobilenet_v4_conv_medium", 224, 9.7, 840),  # timm's card: 0.84 G, 9.72
        ("mobilenet_v4_conv_large", 384, 32.6, 6430),  # timm's card: 6.43 G, 32.59
        ("inception_v3", 299, 27.2, 5713),  # torchvision's card: 5.71 G
        ("xception", 299, 22.9, 8400),  # timm's card: 8.40 G, 22.86
    ],
)
def test_costs_are_near_the_papers(arch: str, resolution: int, million_params: float, million_macs: float) -> None:
    cost = count_spec_cost(ModelSpec(arch, resolution=resolution))

    assert round(cost.params / 1e6, 1) == million_params
    assert cost.macs / 1e6 == pytest.approx(million_macs, rel=0.015)


def test_layers_are_counted_one_by_one() -> None:
    model = nn.Sequential(
        nn.Conv2d(4, 8, (3, 5), stride=2, padding=1, groups=2), nn.GroupNorm(2, 8), nn.Flatten(), nn.Linear(64, 3)
    )

    cost = count_cost(model, (2, 4, 7, 6))

    # By hand: the map is 4 × 2; a filter has 2 × 3 × 5 = 30 weights. Two images.
    assert cost.layers == (
        LayerCost("0", "conv", (2, 8, 4, 2), 248, weights=240, macs=2 * 8 * 4 * 2 * 30, size_bytes=992, map_bytes=1856),
        LayerCost("1", "norm", (2, 8, 4, 2), 16, weights=0, macs=0, size_bytes=64, map_bytes=1024),
        LayerCost("3", "dense", (2, 3), 195, weights=192, macs=2 * 3 * 64, size_bytes=780, map_bytes=536),
    )
    assert (cost.params, cost.macs, cost.size_bytes) == (459, 4224, 1836)
    # Maps in float32: 2×4×7×6 in and 2×8×4×2 out, 4 bytes each.
    assert cost.layers[0].intensity == 3840 / (992 + 4 * (336 + 128))
    assert cost.layers[1].intensity == 0


def test_half_precision_takes_half_the_bytes() -> None:
    model = nn.Linear(5, 2).half()

    assert count_cost(model, (1, 5)).size_bytes == 24


def test_a_layer_that_is_used_twice_costs_its_parameters_once() -> None:
    shared = nn.Linear(4, 4, bias=False)
    tied = nn.Linear(4, 4, bias=False)
    tied.weight = shared.weight

    model = nn.Sequential(shared, shared, tied)

    cost = count_cost(model, (1, 4))

    assert (cost.params, cost.macs) == (16, 3 * 16)
    assert isinstance(shared.weight, nn.Parameter)
    assert tied.weight is shared.weight


def test_a_layer_that_is_not_reached_has_parameters_and_no_multiply_adds() -> None:
    class WithAuxiliaryHead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 2, bias=False)
            self.auxiliary = nn.Linear(4, 3, bias=False)

        def forward(self, features: Tensor) -> Tensor:
            return self.head(features)

    cost = count_cost(WithAuxiliaryHead(), (1, 4))

    assert (cost.params, cost.macs) == (20, 8)
    assert cost.layers[1].output_shape == ()


def test_counting_allocates_nothing_and_leaves_the_network_as_it_was() -> None:
    model = create_model(ModelSpec(alpha=0.25)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    with Devices() as devices:
        count_cost(model, (1, 3, 32, 32))

    assert devices.seen == {"meta"}
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_layer_of_unknown_cost_is_refused_by_name() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.LSTM(4, 4))

    with pytest.raises(
        UnsupportedError, match=r"got 'LSTM at 1'; allowed: convolutions, linear layers, structured ones and norms"
    ):
        count_cost(model, (1, 4))


def test_an_input_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"does not take an input of this shape, got \(1, 1, 32, 32\)"):
        count_cost(create_model(ModelSpec(alpha=0.25)), (1, 1, 32, 32))
