"""The objective of a supernet: every step trains the widest network, the narrowest and one between.

Source: Yu and Huang 2019 (arXiv:1903.05134), sections 3.1 (the sandwich rule) and 3.3 (in-place distillation).
"""

import copy
import dataclasses
import functools
import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from mobisdk.data.batches import Batch, resize
from mobisdk.models import create_model
from mobisdk.models.auxiliary import HasAuxiliaryHead
from mobisdk.models.supernet import NarrowNetwork, share_weights
from mobisdk.specs import ModelSpec, SupernetSpec
from mobisdk.training.fast_convolutions import speed_up_convolutions_
from mobisdk.training.objective import Objective

_WIDTHS = 16
"""Evenly spread ones, between the narrowest and the widest, that the one between is drawn from: each is built once."""


def sandwich(widest: ModelSpec, supernet: SupernetSpec, objective: Objective, *, parts: int = 1) -> Objective:
    """An objective that has the widest network learn by `objective`, and narrower ones answer as it does.

    Where there are several resolutions the widest learns at the largest, and each narrower one at one that is drawn.
    What is drawn follows from the seed of torch's generator: `parts`, the threads that share a batch, draw the same.
    """
    low, high = supernet.alphas
    with torch.device("meta"):
        wide = create_model(widest)

    @functools.cache
    def build(step: int, resolution: int) -> NarrowNetwork:
        spec = dataclasses.replace(widest, alpha=low + (high - low) * step / _WIDTHS, resolution=resolution)
        return NarrowNetwork(wide, spec)

    @functools.cache
    def narrow(step: int, resolution: int, device: str, _part: int) -> NarrowNetwork:
        network = copy.deepcopy(build(step, resolution))  # weights are put into it: no two threads may share one
        if device == "cpu":
            speed_up_convolutions_(network.module)
        return network

    if parts > 1:  # following a network takes hold of every module there is, in other threads too
        for step, resolution in itertools.product(range(_WIDTHS), supernet.resolutions):
            build(step, resolution)

    def train(network: nn.Module, batch: Batch) -> Tensor:
        draw = functools.partial(torch.randint, size=(), generator=torch.Generator().manual_seed(torch.initial_seed()))
        drawn = [
            narrow(
                step,
                supernet.resolutions[int(draw(0, len(supernet.resolutions)))],
                batch.images.device.type,
                id(network),
            )
            for step in (0, int(draw(1, _WIDTHS)))
        ]
        weights, *pieces = share_weights(network, drawn)
        own = {f"network.{name}": weight for name, weight in weights.items()}
        loss: Tensor
        loss, logits = functional_call(_Widest(network, objective), own, (batch,))
        taught = logits.float().softmax(1)
        for learner, piece in zip(drawn, pieces, strict=True):
            answers = learner(piece, resize(batch.images, learner.spec.resolution))
            loss = loss + F.cross_entropy(answers.float(), taught)
        return loss

    return train


class _Widest(nn.Module):
    """The network and its objective in one, so that other tensors can stand in for its weights."""

    def __init__(self, network: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.network = network
        self._objective = objective

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The objective's loss, and the logits that the network gave it on the way."""
        heard: list[Tensor] = []
        hook = self.network.register_forward_hook(lambda _module, _images, logits: heard.append(logits.detach()))
        try:
            loss = self._objective(self.network, batch)
            if isinstance(self.network, HasAuxiliaryHead):  # it was called by another name
                with torch.no_grad():
                    self.network(batch.images)
        finally:
            hook.remove()
        return loss, heard[-1]
