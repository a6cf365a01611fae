import numpy as np
import pytest
import torch
import xxhash
from torch import nn

from mobisdk.compression import compress_
from mobisdk.compression.hashing import HashedWeight, HashingConfig, hash_
from mobisdk.compression.xx_hash import hash_pairs
from mobisdk.errors import ConfigError

IMAGES = torch.zeros(1, 3, 8, 8)


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, ~5])
def test_pairs_when_hashed_then_as_xxhash_itself_does(seed: int) -> None:
    expected = [
        [
            xxhash.xxh32_intdigest(row.to_bytes(4, "little") + column.to_bytes(4, "little"), seed & 0xFFFFFFFF)
            for column in range(7)
        ]
        for row in range(5)
    ]
    assert hash_pairs(5, 7, seed).tolist() == expected


def test_weight_when_looked_up_then_each_is_its_bucket_with_its_sign() -> None:
    layer = nn.Conv2d(4, 6, 3, bias=False)
    hash_(layer, 20, seed=7)
    buckets = layer.parametrizations.weight.original.detach()  # type: ignore[union-attr]
    for i, row in enumerate(layer.weight.detach().flatten(1)):
        for j, value in enumerate(row.tolist()):
            key = i.to_bytes(4, "little") + j.to_bytes(4, "little")
            sign = -1 if xxhash.xxh32_intdigest(key, ~7 & 0xFFFFFFFF) & 1 else 1
            assert value == sign * float(buckets[xxhash.xxh32_intdigest(key, 7) % 20])


def test_buckets_when_projected_then_no_others_are_nearer_to_the_weight() -> None:
    weight = torch.randn(10, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    constraint = HashedWeight(weight.shape, 40, seed=3)
    matrix = torch.stack([constraint(unit).flatten() for unit in torch.eye(40, dtype=torch.float64)], 1)
    expected, *_ = np.linalg.lstsq(matrix.numpy(), weight.flatten().numpy(), rcond=None)
    np.testing.assert_allclose(constraint.right_inverse(weight).numpy(), expected, atol=1e-12)


def test_gradient_of_a_bucket_is_the_signed_sum_of_its_weights() -> None:
    constraint = HashedWeight(torch.Size([6, 10]), 8, seed=1)
    upstream = torch.randn(6, 10, dtype=torch.float64)
    assert torch.autograd.gradcheck(constraint, torch.randn(8, dtype=torch.float64, requires_grad=True))
    buckets = torch.randn(8, dtype=torch.float64, requires_grad=True)
    (constraint(buckets) * upstream).sum().backward()
    unit = torch.zeros(8, dtype=torch.float64)
    unit[5] = 1
    assert buckets.grad is not None
    torch.testing.assert_close(buckets.grad[5], (constraint(unit) * upstream).sum())


def test_layers_when_hashed_then_buckets_alone_are_stored_and_small_ones_are_named() -> None:
    network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3, groups=16), nn.Conv2d(16, 2, 1), nn.Flatten())
    result = compress_(network, HashingConfig(share=1 / 8), images=IMAGES)

    assert [(change.name, change.params_after, change.bits_per_weight) for change in result.changed] == [("0", 70, 4.0)]
    assert {skipped.name: skipped.reason.split(":")[0] for skipped in result.skipped} == {
        "1": "depthwise",
        "2": "it has 32 weights",
    }
    assert sorted(network.state_dict()) == [
        "0.bias",
        "0.parametrizations.weight.original",
        *(f"{layer}.{name}" for layer in (1, 2) for name in ("bias", "weight")),
    ]
    assert network.state_dict()["0.parametrizations.weight.original"].shape == (54,)


@pytest.mark.parametrize("settings", [{"share": 0}, {"share": 1}, {"share": float("nan")}, {"seed": -1}])
def test_config_when_it_is_wrong_then_refused(settings: dict) -> None:
    with pytest.raises(ConfigError):
        HashingConfig(**settings)
