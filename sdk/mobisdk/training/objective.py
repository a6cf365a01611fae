"""What a training minimizes: a function of network and batch, so that a teacher or several widths can take part."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobisdk.data.batches import Batch
from mobisdk.models.auxiliary import AUXILIARY_WEIGHT, HasAuxiliaryHead

Objective: TypeAlias = Callable[[nn.Module, Batch], Tensor]
"""Gives the scalar loss of a batch; it calls the network itself, as often as it needs to.

It runs under autocast where the plan's precision is bfloat16; `compare_heads` gives its losses float32 logits then too.
"""


def cross_entropy(label_smoothing: float, class_weights: Tensor | None = None) -> Objective:
    """The usual objective: with the auxiliary head's share where there is one, and both labels of mixed images."""

    def compare(network: nn.Module, batch: Batch) -> Tensor:
        def loss(logits: Tensor) -> Tensor:
            weight = None if class_weights is None else class_weights.to(logits)
            of = partial(F.cross_entropy, logits, weight=weight, label_smoothing=label_smoothing)
            if batch.mixed_labels is None:
                return of(batch.labels)
            return batch.share * of(batch.labels) + (1 - batch.share) * of(batch.mixed_labels)

        return compare_heads(network, batch.images, loss)[0]

    return compare


def compare_heads(network: nn.Module, images: Tensor, loss: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """The loss of the network's logits, with its auxiliary head's share where it has one; and the logits."""
    if not isinstance(network, HasAuxiliaryHead):
        logits = _widen(network(images))
        return loss(logits), logits
    logits, auxiliary = map(_widen, network.forward_with_auxiliary(images))
    return loss(logits) + AUXILIARY_WEIGHT * loss(auxiliary), logits


def _widen(logits: Tensor) -> Tensor:
    """Of bfloat16's 8 bits a loss would see little."""
    return logits.float() if logits.dtype == torch.bfloat16 else logits


def balance_classes(labels: Tensor, num_classes: int) -> Tensor:
    """Weights (num_classes,) float32 with which every class counts the same; their mean over the images is 1."""
    counts = torch.bincount(labels, minlength=num_classes)
    return len(labels) / (num_classes * counts.float())
