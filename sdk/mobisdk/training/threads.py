"""A step on several cores: each thread takes a part of the batch through the whole network, forward and backward.

torch shares out each operation instead: small networks, whose operations take a millisecond, then wait more than they
compute (1.3 times one core's speed on two cores; parts give 1.8).
"""

import contextlib
import copy
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mobisdk.data.batches import Batch
from mobisdk.layers.parametrized import parametrizations_of
from mobisdk.training.objective import Objective
from mobisdk.training.plan import TrainingPlan

_FEWEST_IMAGES = 64
"""A part's batch norms need so many."""

_Gradients = list[Tensor | None]


def count_parts(network: nn.Module, plan: TrainingPlan, processes: int) -> int:
    """How many threads each step is worth: one where parts would be small, or would draw or compute other things.

    A layer whose weight is computed may keep more than buffers.
    """
    if plan.device != "cpu" or processes > 1:
        return 1
    if any(parametrizations_of(module) for module in network.modules()):
        return 1
    return max(1, min(torch.get_num_threads(), plan.batch_size // _FEWEST_IMAGES))


@dataclass(frozen=True)
class Threads:
    """As many as a batch has parts."""

    parts: int
    pool: ThreadPoolExecutor


@contextlib.contextmanager
def part_threads(parts: int) -> Iterator[Threads | None]:
    """Threads that share torch's own among them; none where there is one part."""
    if parts == 1:
        yield None
        return
    threads = max(1, torch.get_num_threads() // parts)
    with ThreadPoolExecutor(parts, "part", torch.set_num_threads, (threads,)) as pool:
        yield Threads(parts, pool)


def answer_in_threads(network: nn.Module, images: Tensor, threads: Threads | None) -> Tensor:
    """Logits of a network in evaluation mode, without gradients."""

    def answer(part: Tensor) -> Tensor:
        with torch.inference_mode():  # a thread's own setting
            logits: Tensor = network(part)
        return logits

    return answer(images) if threads is None else torch.cat(list(threads.pool.map(answer, images.chunk(threads.parts))))


def split_over_threads(objective: Objective, network: nn.Module, threads: Threads | None) -> Objective:
    """`objective` computed in the threads, for this `network` only.

    The loss is the mean of the parts' losses, each weighed by its images; so are batch-norm statistics, which each part
    has of its own images. One thread adds all gradients up, in order: the same seed gives the same weights, but for
    networks that draw random numbers themselves (dropout).
    """
    if threads is None:
        return objective
    parts = threads.parts
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    shared: dict[int, Any] = {id(parameter): parameter for parameter in network.parameters()}
    networks = [network, *(copy.deepcopy(network, dict(shared)) for _ in range(parts - 1))]
    buffers = [list(each.buffers()) for each in networks]

    def take(part: int, batch: Batch, share: float, dtype: torch.dtype | None) -> tuple[Tensor, _Gradients]:
        # What a thread computes in is a setting of its own.
        with torch.enable_grad(), torch.autocast("cpu", dtype, enabled=dtype is not None):
            loss = objective(networks[part], batch) * share
        return loss.detach(), list(torch.autograd.grad(loss, trained, allow_unused=True))

    def compute(whole: nn.Module, batch: Batch) -> Tensor:
        if whole is not network:
            raise ValueError("the threads have copies of another network")
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
        pieces = cut_batch(batch, parts)
        for own in buffers[1:]:
            torch._foreach_copy_(own, buffers[0])
        shares = [len(piece.labels) / len(batch.labels) for piece in pieces]
        tasks = [threads.pool.submit(take, part, piece, shares[part], dtype) for part, piece in enumerate(pieces)]
        results = [task.result() for task in tasks]
        _average(buffers[: len(pieces)], shares)
        loss: Tensor = _PartsLoss.apply(results, *trained)  # type: ignore[no-untyped-call]
        return loss

    return compute


def cut_batch(batch: Batch, parts: int) -> list[Batch]:
    """At most so many batches, as even as can be."""
    images, labels, indices = (values.chunk(parts) for values in (batch.images, batch.labels, batch.indices))
    mixed = [None] * len(images) if batch.mixed_labels is None else batch.mixed_labels.chunk(parts)
    return [Batch(*piece, batch.share) for piece in zip(images, labels, indices, mixed, strict=True)]


class _PartsLoss(torch.autograd.Function):
    """The sum of the parts' losses, whose gradients are there already."""

    @staticmethod
    def forward(ctx: Any, results: Sequence[tuple[Tensor, _Gradients]], *_trained: Tensor) -> Tensor:
        ctx.gradients = [_add(gradients) for gradients in zip(*(own for _, own in results), strict=True)]
        return torch.stack([loss for loss, _ in results]).sum()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (gradient,) = gradients
        own, ctx.gradients = ctx.gradients, []  # what nobody else holds is not copied into the parameters
        torch._foreach_mul_([each for each in own if each is not None], gradient)
        return None, *own


def _add(gradients: Sequence[Tensor | None]) -> Tensor | None:
    """In place of the first."""
    total: Tensor | None = None
    for gradient in gradients:
        if gradient is not None:
            total = gradient if total is None else total.add_(gradient)
    return total


@torch.no_grad()
def _average(buffers: list[list[Tensor]], shares: list[float]) -> None:
    """The first part's become the mean of all; what is no real number, as a counter, stays the first part's."""
    for own in zip(*buffers, strict=True):
        if own[0].is_floating_point():
            own[0].copy_(sum(value * share for value, share in zip(own, shares, strict=True)))
