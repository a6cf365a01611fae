"""Data reconstruction: the last factor of a layer is fitted to what the layer answered on images."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mobisdk.compression.layer_inputs import unfold_inputs
from mobisdk.errors import UnsupportedError

_MOST_POSITIONS = 16_384
"""Of the output, over all images: several times the unknowns of a row."""
_RIDGE = 1e-6
"""Of the mean square: what is zero on every image stays finite."""


def record_responses(model: nn.Module, layers: Mapping[str, nn.Module], images: Tensor) -> dict[str, Tensor]:
    """What each layer gives on `images`, in the network as it is."""
    responses: dict[str, Tensor] = {}
    hooks = [
        layer.register_forward_hook(lambda _, __, output, name=name: responses.setdefault(name, output.detach()))
        for name, layer in layers.items()
    ]
    try:
        model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return responses


def fit_last_(model: nn.Module, name: str, response: Tensor, images: Tensor) -> None:
    """Fit weight and bias of the last layer of the chain at `name`, by least squares, to the old layer's `response`.

    Its input is what the network gives it as it is now: what layers before have lost is made up for where it can be.

    Source: Jaderberg et al. 2014 (arXiv:1405.3866), section 2.2, with a linear problem a layer in place of descent.
    """
    last = list(model.get_submodule(name).children())[-1]
    if not isinstance(last, nn.Conv2d | nn.Linear):
        raise UnsupportedError("only a convolution or a dense layer can be fitted", got=type(last).__name__)
    seen: list[Tensor] = []
    hook = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    try:
        model(images)
    finally:
        hook.remove()
    rows = unfold_inputs(last, seen[0])  # (positions, unknowns)
    if rows is None:
        raise UnsupportedError("a layer whose padding is its own cannot be fitted", got=name)
    targets = response.movedim(1, -1).flatten(0, -2) if response.dim() > 2 else response
    chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:_MOST_POSITIONS]
    rows, targets = rows[chosen].double(), targets[chosen].double()
    shift, level = rows.mean(0), targets.mean(0)
    if last.bias is None:
        shift, level = torch.zeros_like(shift), torch.zeros_like(level)
    rows, targets = rows - shift, targets - level
    gram = rows.T @ rows
    gram.diagonal().add_(_RIDGE * gram.diagonal().mean() + 1e-30)
    # Ridge towards the weights that are there: directions that no image shows stay as the filters had them.
    old = last.weight.double().flatten(1)
    change = torch.linalg.solve(gram, rows.T @ (targets - rows @ old.T)).T
    weight = old + change
    last.weight.copy_(weight.reshape(last.weight.shape))
    if last.bias is not None:
        last.bias.copy_(level - weight @ shift)
