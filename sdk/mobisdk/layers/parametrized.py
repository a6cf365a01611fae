"""Layers whose weight is computed while they train: by a mask, from a codebook, out of buckets."""

import copy
from typing import cast

from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized, type_before_parametrizations

_LISTS = "parametrizations"


def parametrizations_of(module: nn.Module) -> dict[str, ParametrizationList]:
    """What computes the module's own tensors, by their names; nothing for a plain module."""
    if not is_parametrized(module):
        return {}
    return {name: cast(ParametrizationList, steps) for name, steps in module.get_submodule(_LISTS).named_children()}


def without_parametrizations(model: nn.Module) -> nn.Module:
    """A copy in which every parametrized tensor is a plain one of its present value, as toolchains want it."""
    plain = copy.deepcopy(model)
    for module in list(plain.modules()):
        remove_parametrizations_(module)
    return plain


def remove_parametrizations_(module: nn.Module) -> None:
    """Make the module's own tensors plain ones of their present values.

    torch's own `remove_parametrizations` also takes the property from the class, which copies share: the network that
    was copied would lose it.
    """
    values: dict[str, Tensor] = {name: getattr(module, name) for name in parametrizations_of(module)}
    if values:
        module.__class__ = type_before_parametrizations(module)
        delattr(module, _LISTS)
    for name, value in values.items():
        module.register_parameter(name, nn.Parameter(value.detach().clone()))


def is_inside_parametrization(name: str) -> bool:
    """Whether a name of `named_modules()` is of what computes another module's tensor."""
    return _LISTS in name.split(".")
