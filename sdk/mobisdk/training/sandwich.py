"""The objective of a supernet: every step trains the widest network, the narrowest and one between.

Source: Yu and Huang 2019 (arXiv:1903.05134), sections 3.1 (the sandwich rule) and 3.3 (in-place distillation).
"""

import dataclasses
import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobisdk.data.batches import Batch, resize
from mobisdk.models import create_model
from mobisdk.models.auxiliary import HasAuxiliaryHead
from mobisdk.models.supernet import NarrowNetwork
from mobisdk.specs import ModelSpec, SupernetSpec
from mobisdk.training.fast_convolutions import speed_up_convolutions_
from mobisdk.training.objective import Objective

_WIDTHS = 16
"""Evenly spread ones, between the narrowest and the widest, that the one between is drawn from: each is built once."""


def sandwich(widest: ModelSpec, supernet: SupernetSpec, objective: Objective) -> Objective:
    """An objective that has the widest network learn by `objective`, and narrower ones answer as it does.

    Where there are several resolutions the widest learns at the largest, and each narrower one at one that is drawn.
    What is drawn comes from torch's generator.
    """
    low, high = supernet.alphas

    @functools.cache
    def narrow(step: int, resolution: int, device: str) -> NarrowNetwork:
        spec = dataclasses.replace(widest, alpha=low + (high - low) * step / _WIDTHS, resolution=resolution)
        with torch.device("meta"):
            wide = create_model(widest)
        network = NarrowNetwork(wide, spec)
        if device == "cpu":
            speed_up_convolutions_(network.module)
        return network

    def train(network: nn.Module, batch: Batch) -> Tensor:
        loss, logits = _listen(network, objective, batch)
        taught = logits.float().softmax(1)
        for step in (0, int(torch.randint(1, _WIDTHS, ()))):
            resolution = supernet.resolutions[int(torch.randint(len(supernet.resolutions), ()))]
            answers = narrow(step, resolution, batch.images.device.type)(network, resize(batch.images, resolution))
            loss = loss + F.cross_entropy(answers.float(), taught)
        return loss

    return train


def _listen(network: nn.Module, objective: Objective, batch: Batch) -> tuple[Tensor, Tensor]:
    """The objective's loss, and the logits that the network gave it on the way."""
    heard: list[Tensor] = []
    hook = network.register_forward_hook(lambda _module, _images, logits: heard.append(logits.detach()))
    try:
        loss = objective(network, batch)
        if isinstance(network, HasAuxiliaryHead):  # it was called by another name
            with torch.no_grad():
                network(batch.images)
    finally:
        hook.remove()
    return loss, heard[-1]
