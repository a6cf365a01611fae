"""Networks that nobody has trained: latency does not depend on weights, so a phone can measure them first."""

import math

import torch
from torch import Tensor, nn

from mobisdk.errors import DataError
from mobisdk.models.evaluation_mode import evaluation_mode
from mobisdk.models.registry import create_model
from mobisdk.specs import ModelSpec

_LARGEST_BATCH = 32
_SHIFT = 0.5
"""In standard deviations."""


def create_untrained_model(spec: ModelSpec, *, seed: int) -> nn.Module:
    """Build the network with the weights that belong to `seed`, in evaluation mode.

    torch's generators are left as they were.

    Raises:
        ConfigError: the architecture is unknown, or α leaves a layer without a channel.
    """
    with torch.random.fork_rng(devices=()):
        # Not torch.manual_seed: that would also seed accelerators, whose state is not saved here.
        torch.default_generator.manual_seed(seed)
        return create_model(spec).eval()


@torch.no_grad()
def open_activations_(model: nn.Module) -> None:
    """Shift every batch norm up by half a standard deviation, so that most activations pass the ReLU behind it.

    A random network doubles a rounding error every few layers; float16 logits are then off by a tenth of their scale,
    and no check of them means much. Shifted so, they are off by a fiftieth, and still differ between images.

    Source: Yang et al. 2019 (arXiv:1902.08129), on why batch norm before ReLU amplifies; the half was measured here.
    """
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.affine:
            module.bias.fill_(_SHIFT)


@torch.no_grad()
def adapt_to_images_(model: nn.Module, images: Tensor) -> None:
    """Let an untrained network tell normalized `images` apart, (N,3,H,W) float with N ≥ 2.

    Its batch norms take the images' statistics. Where there is none, every layer with a bias is scaled and shifted to
    the mean and the deviation that a shifted norm would give (see `open_activations_`).

    Raises:
        DataError: the images are not such a tensor, or are not finite.
    """
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        estimate_batch_norm_(model, images)
    else:
        standardize_layers_(model, images)


@torch.no_grad()
def standardize_layers_(model: nn.Module, images: Tensor) -> None:
    """Scale and shift each layer that has a bias, in the order in which they run, as a norm behind it would.

    Raises:
        DataError: the images are not normalized (N,3,H,W) float, N ≥ 2, or are not finite.

    Source: Krähenbühl et al. 2015 (arXiv:1511.06856), section 3.1, data-dependent initialization within a layer.
    """
    _check_images(images)

    def standardize(layer: nn.Module, _: object, output: Tensor) -> Tensor:
        axes = [axis for axis in range(output.dim()) if axis != 1]
        deviation, mean = torch.std_mean(output, dim=axes, keepdim=True)
        # A channel that is the same for every image stays so, and is not blown up.
        scale = torch.where(deviation > 1e-6, 1 / deviation, 1.0)
        for parameter in layer.parameters():
            parameter.mul_(scale.reshape(-1, *[1] * (parameter.dim() - 1)))
        layer.bias.add_((_SHIFT - mean * scale).flatten())  # type: ignore[operator]
        return (output - mean) * scale + _SHIFT

    hooks = [
        module.register_forward_hook(standardize)
        for module in model.modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None
    ]
    try:
        with evaluation_mode(model):
            model(images)
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def estimate_batch_norm_(model: nn.Module, images: Tensor) -> None:
    """Replace the statistics of every batch norm by those of normalized `images`, (N,3,H,W) float with N ≥ 2.

    A random network that keeps the statistics it was born with answers every image alike.

    Raises:
        DataError: the images are not such a tensor, or are not finite.
    """
    _check_images(images)
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    with evaluation_mode(model):  # dropout stays off
        try:
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # a cumulative average: every batch counts the same
                norm.train()
            # Batches of nearly equal size: a last one of a single image would have no variance.
            for batch in images.tensor_split(math.ceil(len(images) / _LARGEST_BATCH)):
                model(batch)
        finally:
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum


def _check_images(images: Tensor) -> None:
    if images.dim() != 4 or images.shape[1] != 3 or len(images) < 2 or not images.is_floating_point():
        raise DataError(
            "batch-norm statistics need normalized images",
            got=f"{images.dtype} of shape {tuple(images.shape)}",
            allowed="(N,3,H,W) float, N ≥ 2",
        )
    if not images.isfinite().all():
        raise DataError("batch-norm statistics need images without NaN or infinity")
