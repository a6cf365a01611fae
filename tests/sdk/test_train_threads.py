import copy
from collections.abc import Iterator

import pytest
import torch
from tests.sdk.training_plan import make_plan
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mobisdk.data.batches import Batch
from mobisdk.models import create_model
from mobisdk.specs import ModelSpec, SupernetSpec
from mobisdk.training.objective import cross_entropy
from mobisdk.training.threads import answer_in_threads, count_parts, cut_batch, part_threads, split_over_threads

SPEC = ModelSpec(alpha=0.25, resolution=32, stem_stride=1, num_classes=3)


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def make_batch(images: int = 7) -> Batch:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(images, 3, 32, 32, generator=generator)
    return Batch(pixels, torch.arange(images) % 3, torch.arange(images))


def make_network() -> nn.Module:
    torch.manual_seed(0)
    return create_model(SPEC).train()


def gradients(network: nn.Module, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(network.parameters())))


def test_loss_and_gradients_are_the_whole_batch_s_where_no_norm_looks_at_it() -> None:
    network = make_network().eval().double()
    batch = make_batch()._replace(images=make_batch().images.double())
    objective = cross_entropy(0.1)
    wanted = objective(network, batch)
    wanted_gradients = gradients(network, 2 * wanted)

    with part_threads(3) as threads:
        found = split_over_threads(objective, network, threads)(network, batch)

        assert torch.allclose(found, wanted, rtol=1e-12)
        for ours, theirs in zip(gradients(network, 2 * found), wanted_gradients, strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-15)


def test_norms_see_their_part_and_their_statistics_are_the_mean() -> None:
    network, objective, batch = make_network(), cross_entropy(0.0), make_batch(8)
    parts = [copy.deepcopy(network), copy.deepcopy(network)]
    losses = [objective(part, piece) for part, piece in zip(parts, cut_batch(batch, 2), strict=True)]

    with part_threads(2) as threads:
        loss = split_over_threads(objective, network, threads)(network, batch)

    assert torch.allclose(loss, (losses[0] + losses[1]) / 2)
    means = [part.get_buffer("stem.norm.running_mean") for part in parts]
    assert torch.allclose(network.get_buffer("stem.norm.running_mean"), (means[0] + means[1]) / 2)
    assert network.get_buffer("stem.norm.num_batches_tracked") == 1


def test_steps_repeat_bit_for_bit_in_any_precision() -> None:
    def train(dtype: torch.dtype | None) -> list[Tensor]:
        network, objective = make_network(), cross_entropy(0.1)
        optimizer = torch.optim.SGD(network.parameters(), 0.01)
        with part_threads(2) as threads:
            split = split_over_threads(objective, network, threads)
            for _ in range(3):
                with torch.autocast("cpu", dtype, enabled=dtype is not None):
                    loss = split(network, make_batch(8))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return list(network.state_dict().values())

    for dtype in (None, torch.bfloat16):
        first, second = train(dtype), train(dtype)
        assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    assert not torch.equal(train(None)[0], train(torch.bfloat16)[0])


def test_what_is_frozen_stays_without_gradient_and_an_error_in_a_thread_is_the_caller_s() -> None:
    network = make_network()
    network.requires_grad_(False)
    network.get_submodule("classifier").requires_grad_(True)
    with part_threads(2) as threads:
        split = split_over_threads(cross_entropy(0.0), network, threads)
        split(network, make_batch(8)).backward()
        assert [name for name, parameter in network.named_parameters() if parameter.grad is not None] == [
            "classifier.weight",
            "classifier.bias",
        ]
        with pytest.raises(IndexError, match="out of bounds"):
            split(network, make_batch(8)._replace(labels=torch.full((8,), 9)))


def test_answers_are_those_of_one_thread_in_the_same_order() -> None:
    network, images = make_network().eval(), make_batch(7).images
    with part_threads(2) as threads, torch.no_grad():
        assert torch.allclose(answer_in_threads(network, images, threads), network(images), atol=1e-6)


def test_a_batch_is_cut_evenly_with_all_that_belongs_to_it() -> None:
    batch = make_batch(7)._replace(mixed_labels=torch.arange(7), share=0.75)

    pieces = cut_batch(batch, 3)

    assert [len(piece.labels) for piece in pieces] == [3, 3, 1]
    assert [piece.share for piece in pieces] == [0.75] * 3
    for field in ("images", "labels", "indices", "mixed_labels"):
        assert torch.equal(torch.cat([getattr(piece, field) for piece in pieces]), getattr(batch, field))


def test_parts_are_as_many_as_threads_but_no_smaller_than_norms_need() -> None:
    network = make_network()

    def count(batch_size: int, processes: int = 1, **changes: object) -> int:
        return count_parts(network, make_plan(batch_size=batch_size, **changes), processes)

    assert [count(size) for size in (64, 127, 128, 512)] == [1, 1, 2, 2]
    assert count(128, supernet=SupernetSpec()) == 2
    assert count(128, device="cuda") == 1
    assert count(128, processes=2) == 1
    parametrize.register_parametrization(network.get_submodule("classifier"), "weight", nn.Identity())
    assert count(128) == 1
