"""A sweep's results as a CSV that `mobisdk choose --accuracy` reads."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mobisdk.accuracy import wilson_interval
from mobisdk.files import write_atomically
from mobisdk.training.runs import read_run
from mobisdk.training.sweep.spec import Trial

TABLE = "sweep.csv"
COLUMNS = (
    "arch", "alpha", "resolution", "accuracy", "low", "high", "correct", "tested", "params", "macs", "epochs",
    "seconds", "run",
)  # fmt: skip


def read_row(trial: Trial, runs: Path) -> dict[str, Any]:
    """The row of a finished trial: shares in [0, 1], the 95 % interval's ends, seconds of all its epochs."""
    last = (run := read_run(runs / trial.name)).metrics[-1]
    low, high = wilson_interval(last["correct"], last["tested"])
    model = run.plan.model
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
    """Write `sweep.csv` whole, the cheapest network first.

    A trial that failed, or was stopped early, is in sweep.json alone: its accuracy is not known.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["macs"]))
    path = folder / TABLE
    write_atomically(path, text.getvalue().encode())
    return path
