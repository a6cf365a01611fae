"""Which networks to measure first, so that the others are predicted best, before anything is known of a device.

Each next one is that which lessens the expected variance of all predictions most. Variances of a Gaussian model do not
depend on what is measured, so the whole choice can be made beforehand.

Source: Cohn, Ghahramani and Jordan 1996, Journal of Artificial Intelligence Research 4, 129-145 (section 5), with the
model of `roofline`.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mobisdk.errors import ConfigError
from mobisdk.latency.layer_features import read_layers
from mobisdk.latency.roofline import Place, likeness, linearize, typical_prior
from mobisdk.specs import ModelSpec

_RESIDUAL: Final = 0.08
_NOISE: Final = 0.02
"""What a roofline is expected to leave over, and a measurement's own error, as logarithms."""


def choose_to_measure(candidates: Sequence[ModelSpec], count: int) -> list[ModelSpec]:
    """Choose `count` of `candidates`, the one that tells most first.

    Raises:
        ConfigError: there are not so many candidates.
    """
    if not 1 <= count <= len(candidates):
        raise ConfigError("so many networks cannot be chosen", got=count, allowed=f"1 to {len(candidates)}")
    places = [Place(read_layers(spec), spec.arch, spec.alpha, spec.resolution) for spec in candidates]
    prior = typical_prior()
    _, slope = linearize(places, prior.mean)
    expected = slope @ prior.covariance @ slope.T + _RESIDUAL**2 * likeness(places, places)
    chosen: list[int] = []
    left = expected.copy()  # the covariance that what is chosen leaves over
    for _ in range(count):
        gains = np.sum(left**2, axis=0) / (np.diag(left) + _NOISE**2)
        gains[chosen] = -np.inf
        best = int(np.argmax(gains))
        chosen.append(best)
        left = left - np.outer(left[:, best], left[best]) / (left[best, best] + _NOISE**2)
    return [candidates[place] for place in chosen]
