"""What a phone stores of a constrained weight: a code for each vector of weights, and tables of what they stand for."""

import dataclasses

import numpy as np
from numpy.typing import NDArray
from torch import nn

from mobisdk.compression.constraint import list_constraints
from mobisdk.layers.parametrized import parametrizations_of


@dataclasses.dataclass(frozen=True)
class StoredCodes:
    """A weight (out, in, …) but for one scale for each output."""

    codes: NDArray[np.uint8]
    """(out, in / vector, …)."""
    tables: NDArray[np.float32]
    """(books, entries, vector): one for all inputs, or one for each vector of them."""

    def materialize(self) -> NDArray[np.float32]:
        """The weight, with scales of 1."""
        book = np.arange(len(self.tables)).reshape(1, -1, *[1] * (self.codes.ndim - 2))
        vectors = np.moveaxis(self.tables[book, self.codes], -1, 2)  # (out, in / vector, vector, …)
        weight: NDArray[np.float32] = vectors.reshape(len(self.codes), -1, *self.codes.shape[2:])
        return weight


def list_stored_codes(model: nn.Module) -> dict[str, StoredCodes]:
    """Layer → its codes, of every layer whose last constraint has some."""
    found = {}
    for name, layer in model.named_modules():
        constraints = list_constraints(layer)
        if constraints:
            codes = constraints[-1].store(parametrizations_of(layer)["weight"].original.detach())
            if codes is not None:
                found[name] = StoredCodes(*codes)
    return found
