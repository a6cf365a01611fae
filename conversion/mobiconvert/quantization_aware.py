"""Quantization-aware training: a trained network goes on learning with the rounding in it (torchao PT2E)."""

import copy
import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch.export import Dim, ExportedProgram

from mobiconvert.quantization import export_quantized
from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from torchao.quantization.pt2e import disable_fake_quant, disable_observer, enable_fake_quant
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e

EPOCHS = 3
_BATCH = 32
_LEARNING_RATE = 1e-4
_RANGE_IMAGES = 256
"""Ranges are those of the float network before the first step."""


def train_quantized(
    program: ExportedProgram, quantizer: Any, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> ExportedProgram:
    """Return `program`, trained three epochs more on (N,H,W,3) uint8 `images`, with the operators of `quantizer`.

    Batch norms are folded already and ranges are frozen for the last epoch, so that what is trained at the end is what
    is exported. The same images in the same order give the same program.

    Source: Jacob et al. 2018 (arXiv:1712.05877), section 3; Krishnamoorthi 2018 (arXiv:1806.08342), section 5.
    """
    random = np.random.default_rng(0)
    with quiet_imports():
        prepared = prepare_qat_pt2e(_with_any_batch(program), quantizer)
        weights = [weight.requires_grad_() for weight in prepared.parameters()]
        optimizer = torch.optim.Adam(weights, _LEARNING_RATE)
        steps = EPOCHS * math.ceil(len(images) / _BATCH)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        prepared.apply(disable_fake_quant)
        with torch.no_grad():
            for places in _batches(random.permutation(len(images))[:_RANGE_IMAGES]):
                prepared(_to_tensor(images[places]))
        prepared.apply(enable_fake_quant)
        for epoch in range(EPOCHS):
            if epoch == EPOCHS - 1:
                prepared.apply(disable_observer)
            for places in _batches(random.permutation(len(images))):
                loss = F.cross_entropy(prepared(_to_tensor(images[places])), torch.from_numpy(labels[places]))
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
        with torch.no_grad():
            return export_quantized(convert_pt2e(prepared), program)


def _with_any_batch(program: ExportedProgram) -> torch.nn.Module:
    """The same graph for any number of images: it was traced for one."""
    (image,) = program.graph_signature.user_inputs
    shape = next(node.meta["val"].shape for node in program.graph.nodes if node.name == image)
    network = copy.deepcopy(program.module(check_guards=False))  # what learns must not be what it is compared with
    batch = torch.zeros(2, *shape[1:])
    return torch.export.export(network, (batch,), dynamic_shapes=({0: Dim("batch", min=1)},)).module(check_guards=False)


def _batches(places: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return np.array_split(places, range(_BATCH, len(places), _BATCH))


def _to_tensor(images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
