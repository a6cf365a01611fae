"""A sweep's results as a CSV that `mobisdk choose --accuracy` reads."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mobisdk.files import write_atomically
from mobisdk.training.runs import RunSummary
from mobisdk.training.sweep.spec import Trial

TABLE = "sweep.csv"
COLUMNS = (
    "arch", "alpha", "resolution", "accuracy", "low", "high", "correct", "tested", "params", "macs", "epochs",
    "seconds", "run",
)  # fmt: skip


def build_row(trial: Trial, run: RunSummary) -> dict[str, Any]:
    """The row of a finished trial: shares in [0, 1], the 95 % interval's ends, seconds of all its epochs."""
    last, model = run.metrics[-1], run.plan.model
    low, high = last["accuracy_interval"]
    return {
        "arch": model.arch,
        "alpha": model.alpha,
        "resolution": model.resolution,
        "accuracy": last["accuracy"],
        "low": low,
        "high": high,
        "correct": last["correct"],
        "tested": last["tested"],
        "params": trial.params,
        "macs": trial.macs,
        "epochs": len(run.metrics),
        "seconds": round(sum(line["seconds"] for line in run.metrics), 1),
        "run": run.name,
    }


def write_table(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write `sweep.csv` whole, rows in their order.

    A trial that failed, or was stopped early, is in sweep.json alone: its accuracy is not known.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = folder / TABLE
    write_atomically(path, text.getvalue().encode())
    return path
