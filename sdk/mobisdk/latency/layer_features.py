"""What a latency model knows of a network: each layer's multiply-adds and the values that it moves, by kind.

This is the one place of the room that asks `cost`, which needs torch, and only when it is called.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from mobisdk.specs import ModelSpec

if TYPE_CHECKING:
    from mobisdk.cost import Cost

KINDS: Final = ("conv1x1", "depthwise", "conv", "dense")
"""Kinds of layer that have a speed of their own; norms are folded into them before a network runs."""
Layers = NDArray[np.float64]
"""A network, shape (layers, 3): the kind's place in `KINDS`, multiply-adds, values moved (input, output, weights)."""


@lru_cache(maxsize=4096)
def read_layers(spec: ModelSpec) -> Layers:
    """List the layers of `spec` that run, in the order in which they are registered; read-only.

    Raises:
        ConfigError: the architecture is unknown.
        UnsupportedError: a layer has parameters, and how many multiply-adds it makes is not known.
    """
    layers = []
    values_in = 3 * spec.resolution**2
    for layer in _read_cost(spec).layers:
        if layer.kind not in KINDS or not layer.output_shape:
            continue
        values_out = int(np.prod(layer.output_shape))
        layers.append((KINDS.index(layer.kind), layer.macs, values_in + values_out + layer.weights))
        values_in = values_out
    table = np.array(layers, dtype=np.float64)
    table.flags.writeable = False
    return table


def count_parameters(spec: ModelSpec) -> int:
    """Count what a converted network stores: weights and a bias a channel, since norms are folded.

    Raises:
        ConfigError: the architecture is unknown.
    """
    return sum(layer.params // 2 if layer.kind == "norm" else layer.params for layer in _read_cost(spec).layers)


@lru_cache(maxsize=4096)
def _read_cost(spec: ModelSpec) -> "Cost":
    from mobisdk.cost import count_spec_cost

    return count_spec_cost(spec)
