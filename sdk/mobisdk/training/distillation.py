"""Distillation: a network learns from another one's answers, from labels, or from both.

Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network" (arXiv:1503.02531), section 2.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobisdk.data.batches import Batch
from mobisdk.data.unlabelled import NO_LABEL
from mobisdk.training.objective import Objective, compare_heads

Teach: TypeAlias = Callable[[Batch], Tensor]
"""A teacher: (N,num_classes) logits of a batch, in the student's order of classes, without gradient."""


def distil(teach: Teach, *, temperature: float, mix: float, label_smoothing: float = 0.0) -> Objective:
    """An objective that has the student answer as `teach` does.

    For an image with a label it is `mix` times the divergence from the teacher's softened answer, and 1 - `mix` times
    the usual cross-entropy; for one without, the divergence alone.
    """

    def compare(network: nn.Module, batch: Batch) -> Tensor:
        taught = teach(batch)

        def loss(logits: Tensor) -> Tensor:
            return distillation_loss(logits, taught, batch.labels, temperature, mix, label_smoothing)

        return compare_heads(network, batch.images, loss)[0]

    return compare


def distillation_loss(
    logits: Tensor, taught: Tensor, labels: Tensor, temperature: float, mix: float, label_smoothing: float = 0.0
) -> Tensor:
    """The mean over images of mix · T² · KL(teacher ‖ student), both softened by T, and (1 - mix) · cross-entropy.

    T² keeps the gradients of the soft part as large as those of the hard one at every temperature.
    """
    taught = taught.to(logits.dtype)
    soft = F.kl_div(
        F.log_softmax(logits / temperature, 1),
        F.log_softmax(taught / temperature, 1),
        reduction="none",
        log_target=True,
    ).sum(1)
    hard = F.cross_entropy(
        logits, labels, reduction="none", ignore_index=NO_LABEL, label_smoothing=label_smoothing
    )  # 0 where there is no label
    share = torch.full_like(soft, mix).masked_fill(labels == NO_LABEL, 1.0)
    return (share * temperature**2 * soft + (1 - share) * hard).mean()
