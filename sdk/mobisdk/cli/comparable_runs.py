"""Trainings whose accuracies can be compared."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mobisdk.cli.console import say
from mobisdk.errors import DataError

if TYPE_CHECKING:
    from mobisdk.training import RunSummary


def list_comparable_runs(runs: Path) -> "Sequence[RunSummary]":
    """The trainings of the data that was trained on last; accuracies of different images cannot be compared.

    Raises:
        DataError: there is none, or a run's files are damaged.
    """
    from mobisdk.training import list_runs

    done = [run for run in list_runs(runs) if run.metrics]
    if not done:
        raise DataError(
            "how accurate these networks are is not known", got=str(runs),
            allowed="trainings in --runs, or --accuracy with a CSV of arch, alpha, resolution, accuracy",
        )  # fmt: skip
    newest = done[-1]
    same = [run for run in done if run.data.get("sha256") == newest.data.get("sha256")]
    if len(same) < len(done):
        say(f"{len(done) - len(same)} trainings on other data than {newest.plan.data} are left out")
    return same
