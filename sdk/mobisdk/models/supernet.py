"""One set of weights for every width: a narrower network is the first channels of each layer.

Source: Yu and Huang 2019, "Universally Slimmable Networks and Improved Training Techniques" (arXiv:1903.05134).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mobisdk.errors import ConfigError
from mobisdk.models.channel_maps import Selection, add_part_, cut, select_weights
from mobisdk.models.registry import create_model
from mobisdk.models.untrained import create_untrained_model, estimate_batch_norm_
from mobisdk.specs import InputSpec, ModelSpec, SupernetSpec


class NarrowNetwork:
    """A supernet at one width, without weights of its own: `share_weights` gives it the supernet's in every step.

    Batch norms take the statistics of the batch, as in training: a supernet has none for each width. `wide` may be on
    the meta device.

    Raises:
        UnsupportedError: the supernet's architecture cannot be cut to this width.
    """

    def __init__(self, wide: nn.Module, spec: ModelSpec) -> None:
        self.spec = spec
        with torch.device("meta"):
            self.module = create_model(spec)
        for norm in _norms(self.module):
            norm.running_mean = norm.running_var = norm.num_batches_tracked = None
            norm.track_running_stats = False
        self.selections = select_weights(wide, self.module)
        """By name, the part of each of the supernet's weights."""

    def __call__(self, weights: Mapping[str, Tensor], images: Tensor) -> Tensor:
        """Logits (N,num_classes) of normalized (N,3,H,W)."""
        logits: Tensor = functional_call(self.module, dict(weights), (images,), strict=True)
        return logits


def share_weights(wide: nn.Module, narrow: Sequence[NarrowNetwork]) -> list[dict[str, Tensor]]:
    """The supernet's weights by name, then those of each narrower network; gradients of all reach the supernet's."""
    names, weights = zip(*wide.named_parameters(), strict=True)
    of_each = [[network.selections.get(name) for name in names] for network in narrow]
    shared: tuple[Tensor, ...] = _Share.apply(of_each, *weights)  # type: ignore[no-untyped-call]
    return [
        {name: tensor for name, tensor in zip(names, shared[start:], strict=False) if tensor is not None}
        for start in range(0, len(shared), len(names))
    ]


class _Share(torch.autograd.Function):
    """The weights themselves, and copies of parts of them, whose gradients are added where the parts lie.

    Views would do without it, but each would have a gradient as large as the whole weight, of zeros nearly everywhere.
    """

    @staticmethod
    def forward(ctx: Any, of_each: list[list[Selection | None]], *weights: Tensor) -> tuple[Tensor | None, ...]:
        ctx.of_each, ctx.shapes = of_each, [weight.shape for weight in weights]
        ctx.set_materialize_grads(False)
        parts = (
            None if selection is None else cut(weight, selection).clone()
            for selections in of_each
            for weight, selection in zip(weights, selections, strict=True)
        )
        return (*(weight.view_as(weight) for weight in weights), *parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        count = len(ctx.shapes)
        # The layers' own, which nothing else reads: what is added to them is added to the sum.
        sums = list(gradients[:count])
        for number, selections in enumerate(ctx.of_each, 1):
            for place, selection in enumerate(selections):
                gradient, total = gradients[number * count + place], sums[place]
                if gradient is None:
                    continue
                if total is None:
                    total = sums[place] = gradient.new_zeros(ctx.shapes[place])
                add_part_(total, selection, gradient)
        return None, *sums


def slice_network(wide: nn.Module, spec: ModelSpec, images: Tensor) -> nn.Module:
    """Copy the network of `spec` out of a supernet, in evaluation mode; its batch norms take statistics of `images`.

    `images` are normalized, (N,3,ρ,ρ) with N ≥ 2, as the network will see them; nothing happens to them where it has no
    batch norm.

    Raises:
        UnsupportedError: the architecture cannot be cut to this width.
        DataError: the images are not such a tensor.

    Source: arXiv:1903.05134, section 3.2: statistics are computed after training, for the widths that are needed.
    """
    narrow = create_untrained_model(spec, seed=0)
    state = wide.state_dict()
    selections = select_weights(wide, narrow)
    narrow.load_state_dict({name: cut(state[name], selection) for name, selection in selections.items()})
    narrow.to(images.device)
    if has_batch_norm(narrow):
        estimate_batch_norm_(narrow, images)
    return narrow.eval()


def narrow_spec(widest: ModelSpec, supernet: SupernetSpec, alpha: float, resolution: int) -> ModelSpec:
    """The spec of one of a supernet's networks.

    Raises:
        ConfigError: the supernet was not trained for this width or resolution.
    """
    low, high = supernet.alphas
    if not low <= alpha <= high:
        raise ConfigError("the supernet was not trained for this alpha", got=alpha, allowed=f"{low:g} to {high:g}")
    if resolution not in supernet.resolutions:
        allowed = ", ".join(map(str, supernet.resolutions))
        raise ConfigError("the supernet was not trained for this resolution", got=resolution, allowed=allowed)
    return replace(widest, alpha=alpha, resolution=resolution)


def scale_input(widest: InputSpec, resolution: int) -> InputSpec:
    """The same view of a photograph at another resolution."""
    return replace(widest, resize=round(widest.resize * resolution / widest.crop), crop=resolution)


def calibration_order(count: int, resolution: int) -> list[int]:
    """Which of `count` training images the statistics are taken of: mixed, and the same every time."""
    generator = torch.Generator().manual_seed(0)
    most = max(_FEWEST_CALIBRATED, min(_MOST_CALIBRATED, _PIXELS_CALIBRATED // resolution**2))
    return torch.randperm(count, generator=generator)[:most].tolist()


def has_batch_norm(network: nn.Module) -> bool:
    """Whether a narrower network needs images to take statistics from."""
    return any(True for _ in _norms(network))


def _norms(network: nn.Module) -> Iterator[nn.modules.batchnorm._BatchNorm]:
    return (module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm))


_FEWEST_CALIBRATED, _MOST_CALIBRATED = 128, 1024
_PIXELS_CALIBRATED = 2**24
"""Large images have many pixels to take statistics from, and cost much."""
