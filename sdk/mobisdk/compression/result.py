"""What a compression did, and what it left alone."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class LayerChange:
    """One layer that was changed."""

    name: str
    """As in `named_modules()` of the network before."""
    done: str
    """In words: `tucker-2, rank 8 × 12`."""
    params_before: int
    params_after: int
    """What is trained now: for shared weights what is shared."""
    macs_before: int
    macs_after: int
    bits_per_weight: float
    """What a weight takes where it is stored, codebooks and masks included; 32 for a plain one."""
    size_bytes: int
    """What the layer takes then, its biases and norms included."""


@dataclasses.dataclass(frozen=True)
class SkippedLayer:
    """One layer that the technique would have changed and did not."""

    name: str
    reason: str


@dataclasses.dataclass(frozen=True)
class CompressionResult:
    """Every layer that the technique applies to is in one of the two lists."""

    changed: tuple[LayerChange, ...]
    skipped: tuple[SkippedLayer, ...]
    record: dict[str, Any]
    """For `Checkpoint.compression`: method, settings, and the structure of every changed layer; no weights."""
    params_before: int
    params_after: int
    """Of the whole network."""
    macs_before: int
    macs_after: int
    size_bytes_before: int
    size_bytes_after: int
