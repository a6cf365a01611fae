"""Low rank and CP against cases whose answer is known."""

from typing import Any

import numpy as np
import pytest
import tensorly
import torch
from tensorly.decomposition import parafac, partial_tucker
from torch import Tensor, nn

from mobisdk.compression import compress_, restructure_
from mobisdk.compression.cp import CpConfig, factor_cp, join_cp
from mobisdk.compression.factor_layers import build_chain, count_chain_macs
from mobisdk.compression.factorization import factor_svd, factor_tucker_2
from mobisdk.compression.low_rank import LowRankConfig
from mobisdk.cost import count_cost
from mobisdk.errors import ConfigError, DataError
from mobisdk.models.untrained import create_untrained_model
from mobisdk.models.variant import SamePadConv2d
from mobisdk.specs import ModelSpec

SCHEMES = ["scheme_1", "scheme_2", "tucker_2"]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def images() -> Tensor:
    return draw(2, 3, 20, 24)


def convolution(weight: Tensor, **settings: Any) -> nn.Conv2d:
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], **settings)
    layer.weight.data.copy_(weight)
    return layer


def test_a_matrix_of_known_rank_is_found_exactly() -> None:
    matrix = draw(20, 3) @ draw(3, 30, seed=1)
    layer = nn.Linear(30, 20)
    layer.weight.data.copy_(matrix)
    vectors = draw(7, 30, seed=2)
    before = layer(vectors)
    network = nn.Sequential(layer)

    result = compress_(network, LowRankConfig(energy=0.999999, multiple=1), images=draw(1, 30))

    assert [change.done for change in result.changed] == ["svd, rank 3"]
    torch.testing.assert_close(network(vectors), before, atol=1e-4, rtol=1e-4)


def test_svd_is_the_nearest_of_its_rank() -> None:
    matrix = draw(12, 9)

    reduce, expand = factor_svd(matrix, 4)

    lost = torch.linalg.matrix_norm(expand @ reduce - matrix).square()
    # Eckart and Young: what is lost are the singular values that are left out.
    assert float(lost) == pytest.approx(
        float(np.linalg.svd(matrix.numpy(), compute_uv=False)[4:] ** 2 @ np.ones(5)), rel=1e-5
    )


@pytest.mark.parametrize(
    "settings", [{}, {"stride": 2, "padding": 1}, {"stride": (2, 1), "padding": (0, 2), "dilation": 2}]
)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_exactly_separable_convolution_stays_what_it_is(scheme: Any, settings: Any, images: Tensor) -> None:
    # One vertical and one horizontal filter for all channels, mixed by a matrix of rank one: rank 1 in every scheme.
    mixing = draw(8, 1, seed=1) @ draw(1, 3, seed=2)
    weight = torch.einsum("oi,y,x->oiyx", mixing, draw(3, seed=3), draw(3, seed=4))
    network = nn.Sequential(convolution(weight, **settings))
    before = network(images)

    result = compress_(network, LowRankConfig(scheme=scheme, energy=0.99999, multiple=1), images=images)

    ranks = {"scheme_1": "1", "scheme_2": "1", "tucker_2": "1 × 1"}[scheme]
    assert result.changed[0].done == f"{scheme}, rank {ranks}"
    torch.testing.assert_close(network(images), before, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_multiply_adds_are_those_that_the_chain_makes(scheme: str) -> None:
    layer = nn.Conv2d(16, 32, 3, stride=2, padding=1)
    ranks = (4, 8) if scheme == "tucker_2" else (4,)

    cost = count_cost(build_chain(layer, scheme, ranks), (1, 16, 32, 32))

    assert cost.macs == count_chain_macs(layer, scheme, ranks) * 16 * 16


def test_cps_multiply_adds_are_those_that_the_chain_makes() -> None:
    layer = nn.Conv2d(16, 32, 3, stride=2, padding=1)

    cost = count_cost(build_chain(layer, "cp", (8,)), (1, 16, 32, 32))

    assert cost.macs == count_chain_macs(layer, "cp", (8,)) * 16 * 16


def test_scheme_1_finds_two_separable_filters_a_channel(images: Tensor) -> None:
    vertical, horizontal, mixing = draw(3, 2, 3), draw(3, 2, 3, seed=1), draw(10, 3, 2, seed=2)
    network = nn.Sequential(convolution(torch.einsum("oim,imy,imx->oiyx", mixing, vertical, horizontal), padding=1))
    before = network(images)

    compress_(network, LowRankConfig(scheme="scheme_1", energy=0.99999, multiple=1), images=images)

    assert network[0][0].weight.shape == (6, 1, 3, 1)
    assert float((network(images) - before).detach().norm() / before.detach().norm()) < 1e-2


def test_tucker_is_as_near_as_tensorlys() -> None:
    weight = draw(12, 10, 3, 3)

    reduce, core, expand = factor_tucker_2(weight, 5, 6)

    ours = torch.einsum("or,rsyx,si->oiyx", expand.flatten(1), core, reduce.flatten(1))
    (theirs_core, theirs), _ = partial_tucker(weight.double().numpy(), rank=[6, 5], modes=[0, 1])
    other = tensorly.tenalg.multi_mode_dot(theirs_core, theirs, modes=[0, 1])
    assert float((ours - weight).norm()) == pytest.approx(np.linalg.norm(other - weight.numpy()), rel=1e-3)


def test_tucker_of_a_synthesized_tensor_is_exact(images: Tensor) -> None:
    weight = torch.einsum("or,rsyx,si->oiyx", draw(16, 4), draw(4, 2, 3, 3, seed=1), draw(2, 3, seed=2))
    network = nn.Sequential(convolution(weight))
    before = network(images)

    result = compress_(network, LowRankConfig(energy=0.999999, multiple=1), images=images)

    assert result.record["layers"]["0"] == {"scheme": "tucker_2", "ranks": [2, 4]}
    torch.testing.assert_close(network(images), before, atol=1e-4, rtol=1e-4)


def test_cp_fits_as_well_as_tensorlys() -> None:
    weight = torch.einsum("or,ir,yr,xr->oiyx", *(draw(size, 4, seed=size) for size in (14, 12, 5, 3))).double()
    weight += 0.3 * draw(*weight.shape)

    lost = float((join_cp(*factor_cp(weight, 4, restarts=3)) - weight).norm())

    theirs = min(
        float(np.linalg.norm(tensorly.cp_to_tensor(found) - weight.numpy()))
        for found in (
            parafac(weight.numpy(), 4, n_iter_max=100, init="random", random_state=seed, tol=1e-7) for seed in range(3)
        )
    )
    assert lost == pytest.approx(theirs, rel=0.02)


def test_cp_of_a_synthesized_tensor_is_found() -> None:
    weight = torch.einsum("or,ir,yr,xr->oiyx", *(draw(size, 3, seed=size) for size in (20, 12, 5, 4))).double()

    factors = factor_cp(weight, 3, restarts=4)

    assert [tuple(factor.shape) for factor in factors] == [(3, 12, 1, 1), (3, 1, 5, 1), (3, 1, 1, 4), (20, 3, 1, 1)]
    assert float((join_cp(*factors) - weight).norm() / weight.norm()) < 1e-2


def test_cp_searches_the_rank_that_an_energy_needs(images: Tensor) -> None:
    weight = torch.einsum("or,ir,yr,xr->oiyx", *(draw(size, 2, seed=size) for size in (16, 3, 5, 4)))
    layer = nn.Conv2d(3, 16, (5, 4), padding=2)
    layer.weight.data.copy_(weight)
    network = nn.Sequential(layer)
    before = network(images)

    (change,) = compress_(network, CpConfig(energy=0.999, multiple=2, restarts=3), images=images).changed

    assert change.done in ("cp, rank 2", "cp, rank 4")
    assert change.macs_after < change.macs_before
    assert float((network(images) - before).detach().norm() / before.detach().norm()) < 0.05


def test_data_reconstruction_is_nearer_than_filters_on_images_that_vary_little() -> None:
    """Channels that never differ need no filters of their own; only responses show that."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(8, 2, 12, 12, generator=generator)[:, [0, 1, 0, 1, 0, 1]]  # six channels, two different
    errors = {}
    for reconstruction in ("filters", "data"):
        layer = convolution(draw(16, 6, 3, 3), padding=1)
        network = nn.Sequential(layer)
        before = network(images)
        config = LowRankConfig(scheme="scheme_2", ratio=0.5, reconstruction=reconstruction, multiple=1)  # type: ignore[arg-type]
        compress_(network, config, images=images)
        errors[reconstruction] = float((network(images) - before).detach().norm() / before.detach().norm())

    assert errors["data"] < 0.8 * errors["filters"]


def test_data_reconstruction_of_full_rank_changes_nothing(images: Tensor) -> None:
    network = nn.Sequential(convolution(draw(8, 3, 3, 3), padding=1), nn.ReLU(), nn.Conv2d(8, 64, 1))
    before = network(images)

    result = compress_(network, LowRankConfig(energy=0.9999999, reconstruction="data", multiple=1), images=images)

    assert {skipped.name for skipped in result.skipped} >= {"2"}  # rank 8 of 8 × 64 is dearer
    torch.testing.assert_close(network(images), before, atol=1e-3, rtol=1e-3)


def test_what_cannot_become_cheaper_is_skipped_with_its_reason(images: Tensor) -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.Conv2d(4, 4, 3, groups=4),
        nn.Conv2d(4, 32, 3, padding="same"),
        nn.Conv2d(32, 4, 3, padding=1, padding_mode="reflect"),
    )

    result = compress_(network, LowRankConfig(ratio=0.1), images=images)

    reasons = {skipped.name: skipped.reason for skipped in result.skipped}
    assert result.changed == ()
    assert "too small" in reasons["0"]
    assert "groups" in reasons["1"]
    assert "padding" in reasons["2"]
    assert "padding" in reasons["3"]


@pytest.mark.parametrize("config", [LowRankConfig(ratio=0.9, multiple=1), CpConfig(ratio=0.9, multiple=1)])
def test_a_layer_that_pads_by_its_maps_size_stays_as_it_is(config: Any) -> None:
    network = nn.Sequential(SamePadConv2d(16, 16, 3, stride=2))
    images = draw(1, 16, 8, 8)
    before = network(images)

    result = compress_(network, config, images=images)

    assert [skipped.name for skipped in result.skipped] == ["0"]
    assert "padding" in result.skipped[0].reason
    assert torch.equal(network(images), before)


@pytest.mark.parametrize(
    "config", [LowRankConfig(ratio=0.6), LowRankConfig(scheme="scheme_1", ratio=0.4, multiple=1), CpConfig(ratio=0.2)]
)
def test_the_record_alone_gives_the_structure(config: Any) -> None:
    spec = ModelSpec("mobilenet_v1_full_conv", alpha=0.125, resolution=32, num_classes=3)
    images = draw(2, 3, 32, 32)
    network = create_untrained_model(spec, seed=0)
    result = compress_(network, config, images=images)
    again = create_untrained_model(spec, seed=1)

    restructure_(again, [result.record])
    again.load_state_dict(network.state_dict())

    assert result.macs_after < result.macs_before
    assert result.macs_after == count_cost(again, (1, 3, 32, 32)).macs
    assert torch.equal(again(images), network(images))


def test_hostile_ranks_are_refused() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3))
    for ranks in ([10**9, 10**9], [0, 1], [1], ["2", "2"], [-1, 2]):
        record = {"method": "low_rank", "layers": {"0": {"scheme": "tucker_2", "ranks": ranks}}}
        with pytest.raises(DataError, match="compression does not fit"):
            restructure_(network, [record])


def test_settings_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="energy and ratio decide the same ranks"):
        LowRankConfig(energy=0.9, ratio=0.5)
    with pytest.raises(ConfigError, match=r"ratio must be a share, got 1\.5"):
        CpConfig(ratio=1.5)
    with pytest.raises(ConfigError, match="scheme is unknown"):
        LowRankConfig(scheme="scheme_3")  # type: ignore[arg-type]
