"""What a backend answers with: the artefact's place in the bundle, and what became of the graph."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch

from mobiconvert.mil_evaluator.neural_engine import LeavesNeuralEngine


@dataclasses.dataclass(frozen=True)
class Fallback:
    """An operator that the backend did not take."""

    op: str
    count: int
    reason: str


@dataclasses.dataclass(frozen=True)
class Delegation:
    """How much of the graph the backend takes; `macs` are multiply-adds."""

    ops_total: int
    ops_delegated: int
    macs_delegated: int
    fallback: tuple[Fallback, ...]
    leaves_neural_engine: tuple[LeavesNeuralEngine, ...] | None = None
    """What Core ML is known to run elsewhere, as far as public rules say; None of another backend."""


@dataclasses.dataclass(frozen=True)
class Lowered:
    """One artefact, written."""

    delegation: Delegation
    input: Mapping[str, Any]
    """The manifest's `input` without `preprocess`."""
    output: Mapping[str, Any]
    """The manifest's `output`."""
    tool_versions: Mapping[str, str | None]
    requirements: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What the manifest's `target` says besides the recipe: what the phone's runtime must at least be."""
    simulate: Callable[[torch.Tensor], torch.Tensor] | None = None
    """The lowered graph in torch, (1,3,H,W) float32 in [0,1] to (1, classes), of an artefact that no runtime of this
    computer runs; None where one does."""
    rounded: torch.export.ExportedProgram | None = None
    """The graph that was lowered, where its precision is in the graph: its layers can be compared with the network's.
    None where the backend rounds by itself."""
