"""What a recipe is."""

import dataclasses
from typing import Literal

from mobiconvert.recipes.runtime_library import RuntimeLibrary, find_runtime_library
from mobisdk.specs import Platform, TargetSpec

Precision = Literal["fp32", "fp16", "int8"]
"""Of the arithmetic. Weights may be stored in fewer bits than they are multiplied in."""


@dataclasses.dataclass(frozen=True)
class LinearWeights:
    """Weights as int8 with a scale for each output channel."""


@dataclasses.dataclass(frozen=True)
class Palette:
    """Weights as indices into a table of 2**bits entries, each of `vector` neighbouring weights."""

    bits: int
    vector: int = 1


@dataclasses.dataclass(frozen=True)
class Sparse:
    """The smallest `share` of each layer's weights is zero and not stored; the others may index a palette."""

    share: float
    palette: Palette | None = None


@dataclasses.dataclass(frozen=True)
class OwnCodes:
    """Weights that a compression gave codes keep them, with their own tables and a scale for each output channel."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One way to turn a network into what a phone runs."""

    name: str
    platform: Platform
    runtime: str
    backend: str
    precision: Precision
    min_os: str
    needs: str
    promise: str
    error: float | None
    """Relative error of the logits that an untrained network may show against torch: its largest absolute error over
    its largest logit. A random network amplifies rounding; a trained one stays far below. None for a recipe that
    changes the weights themselves: top-1 on held-out images is what bounds it."""
    golden_margin: float
    """What another phone's rounding may add to the golden's error here, relative to its largest logit."""
    compute_units: str | None = None
    weights: LinearWeights | Palette | Sparse | OwnCodes | None = None
    """How they are stored, where that is not as they are multiplied."""
    trains: bool = False
    """Quantization-aware: continues the training with rounding in it, so it needs a checkpoint and labelled images."""

    @property
    def calibrates(self) -> bool:
        """Whether ranges of activations are measured on real images."""
        return self.precision == "int8"

    @property
    def is_lossy(self) -> bool:
        """Whether it changes the weights or activations themselves, so that top-1 must be looked at."""
        return self.error is None

    @property
    def runtime_library(self) -> RuntimeLibrary:
        """What the runtime adds to an app."""
        return find_runtime_library(self.runtime, self.backend)

    @property
    def target(self) -> TargetSpec:
        """What the manifest says of it."""
        return TargetSpec(self.platform, self.runtime, self.name, self.backend, self.min_os, self.compute_units)
