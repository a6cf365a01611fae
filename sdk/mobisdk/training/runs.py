"""What is in `runs/`: one folder a training. Reading it imports no torch.

runs/<name>/spec.json             every setting, the data and the versions; the folder appears with it
            start.safetensors     only of a fine-tuning: the network that it started from
            metrics.jsonl         one line an epoch
            last.safetensors      the network after the last whole epoch: what `export` takes
            widths.csv            only of a supernet that is trained: the accuracy of its networks, for `choose`
            state.safetensors     optimizer, schedule, averages: what `--resume` goes on from
runs/.cache/                      decoded images that did not fit in memory
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobisdk.errors import DataError
from mobisdk.specs import ModelSpec
from mobisdk.training.documents import read_document
from mobisdk.training.plan import TrainingPlan, plan_from_dict

SCHEMA = "mobisdk.run/1"
SPEC, START, METRICS = "spec.json", "start.safetensors", "metrics.jsonl"
CHECKPOINT, STATE, WIDTHS = "last.safetensors", "state.safetensors", "widths.csv"
CACHE = ".cache"


@dataclass(frozen=True)
class RunSummary:
    """A training, finished or not."""

    folder: Path
    plan: TrainingPlan
    started_at: str
    """RFC 3339, UTC."""
    data: Mapping[str, Any]
    """Source, sha256, classes, and how many images of each kind."""
    versions: Mapping[str, str]
    start: Mapping[str, Any] | None
    """Of a fine-tuning: where its first weights come from, what was done to them, whether the head is new."""
    teaching: Mapping[str, Any] | None
    """Of a distillation: the teacher's weights and view, and the unlabelled images."""
    metrics: tuple[Mapping[str, Any], ...]
    """One object an epoch, oldest first."""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def checkpoint(self) -> Path | None:
        """The trained network, once an epoch is whole."""
        path = self.folder / CHECKPOINT
        return path if path.exists() else None

    @property
    def is_finished(self) -> bool:
        """Whether its last epoch is whole; a training that had to end in time may have fewer than the plan's."""
        return bool(self.metrics) and len(self.metrics) >= self.metrics[-1].get("epochs", self.plan.epochs)

    @property
    def updated_at(self) -> str:
        """When the last epoch ended, or the training started."""
        return str(self.metrics[-1]["finished_at"]) if self.metrics else self.started_at


def list_runs(folder: Path) -> tuple[RunSummary, ...]:
    """Every training in `folder`, the one that ran last at the end; none where there is no such folder.

    Raises:
        DataError: a run's files are damaged.
    """
    specs = sorted(folder.glob(f"[!.]*/{SPEC}"))
    return tuple(sorted((read_run(spec.parent) for spec in specs), key=lambda run: run.updated_at))


def read_run(folder: Path) -> RunSummary:
    """Read one training.

    Raises:
        DataError: there is none, or its files are damaged.
    """
    path = folder / SPEC
    if not path.exists():
        raise DataError("there is no such run", got=str(folder), hint="See `mobisdk runs list`")
    return read_document(
        path,
        SCHEMA,
        "run",
        lambda document: RunSummary(
            folder,
            plan_from_dict(document["plan"]),
            document["started_at"],
            document["data"],
            document["versions"],
            document.get("start"),
            document.get("teaching"),
            _read_metrics(folder / METRICS),
        ),
    )


def newest_checkpoint(folder: Path, spec: ModelSpec) -> Path | None:
    """The network of `spec`'s architecture, α and resolution that was trained last, perhaps within a supernet.

    Classes, stem and rounding are the run's own, and stand in the checkpoint: who exports a variant does not repeat
    what it was trained with.

    Raises:
        DataError: a run's files are damaged.
    """
    fitting = [run.checkpoint for run in list_runs(folder) if run.checkpoint and _holds(run.plan, spec)]
    return fitting[-1] if fitting else None


def _holds(plan: TrainingPlan, spec: ModelSpec) -> bool:
    if plan.supernet is None or plan.model.arch != spec.arch:
        return plan.model.name == spec.name
    low, high = plan.supernet.alphas
    return low <= spec.alpha <= high and spec.resolution in plan.supernet.resolutions


def _read_metrics(path: Path) -> tuple[Mapping[str, Any], ...]:
    if not path.exists():
        return ()
    return tuple(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
