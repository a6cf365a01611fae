"""Weights that a technique constrains: computed anew at every step, so that any trainer trains through them."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from mobisdk.layers.parametrized import parametrizations_of

_PLAIN_BITS = 32.0


class WeightConstraint(nn.Module):
    """A parametrization (`torch.nn.utils.parametrize`) of a layer's weight: masked, shared, hashed, of few bits.

    What training must not change is a buffer, so that a checkpoint holds it.
    """

    method: ClassVar[str]
    """Of the technique that put it there."""

    def right_inverse(self, weight: Tensor) -> Tensor:
        """What is learned in place of `weight`: the weight itself, unless a technique has something smaller."""
        return weight

    @property
    def bits_per_weight(self) -> float:
        """What a weight takes where it is stored, codebook, mask and scales included."""
        raise NotImplementedError

    def store(self, learned: Tensor) -> tuple[NDArray[np.uint8], NDArray[np.float32]] | None:  # noqa: ARG002
        """Codes (out, in / vector, …) and tables (books, entries, vector) of the weight that follows from `learned`.

        They give the weight but for a scale for each output. None where it has no codes: a phone gets it whole.
        """
        return None


def list_constraints(layer: nn.Module) -> list[WeightConstraint]:
    """The constraints of one layer's tensors, in the order in which they are computed."""
    return [
        step for steps in parametrizations_of(layer).values() for step in steps if isinstance(step, WeightConstraint)
    ]


def stored_bits(layer: nn.Module) -> float:
    """Bits a weight of one layer takes where it is stored: its last constraint says; 32 without one."""
    constraints = list_constraints(layer)
    return constraints[-1].bits_per_weight if constraints else _PLAIN_BITS


def constrained_layers(model: nn.Module) -> dict[str, list[str]]:
    """Method → names of the layers whose weights it constrains."""
    methods: dict[str, list[str]] = {}
    for name, module in model.named_modules():
        for constraint in list_constraints(module):
            methods.setdefault(constraint.method, []).append(name)
    return methods
