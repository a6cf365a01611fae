"""What a backend answers with: the artefact's place in the bundle, and what became of the graph."""

import dataclasses
from collections.abc import Mapping
from typing import Any


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


@dataclasses.dataclass(frozen=True)
class Lowered:
    """One artefact, written."""

    delegation: Delegation
    input: Mapping[str, Any]
    """The manifest's `input` without `preprocess`."""
    output: Mapping[str, Any]
    """The manifest's `output`."""
    tool_versions: Mapping[str, str | None]
