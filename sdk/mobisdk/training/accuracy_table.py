"""What trained networks reached, as a CSV that `mobisdk choose --accuracy` reads."""

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mobisdk.files import write_atomically
from mobisdk.specs import ModelSpec

COLUMNS = (
    "arch", "alpha", "resolution", "accuracy", "low", "high", "correct", "tested", "params", "macs", "epochs",
    "seconds", "run",
)  # fmt: skip


def build_row(
    model: ModelSpec, line: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]], run: str, *, params: int, macs: int
) -> dict[str, Any]:
    """The row of a network, which `line` says the accuracy of, after the epochs of `metrics`.

    Shares are in [0, 1], `low` and `high` the 95 % interval's ends; seconds are those of all epochs, which the networks
    of a supernet share.
    """
    low, high = line["accuracy_interval"]
    return {
        "arch": model.arch,
        "alpha": model.alpha,
        "resolution": model.resolution,
        "accuracy": line["accuracy"],
        "low": low,
        "high": high,
        "correct": line["correct"],
        "tested": metrics[-1]["tested"],
        "params": params,
        "macs": macs,
        "epochs": len(metrics),
        "seconds": round(sum(epoch["seconds"] for epoch in metrics), 1),
        "run": run,
    }


def build_width_rows(widest: ModelSpec, metrics: Sequence[Mapping[str, Any]], run: str) -> list[dict[str, Any]]:
    """A row for each network of a supernet that was tested behind its last epoch, the cheapest first."""
    from mobisdk.cost import count_spec_cost  # torch

    rows = []
    for line in metrics[-1]["widths"]:
        model = dataclasses.replace(widest, alpha=line["alpha"], resolution=line["resolution"])
        cost = count_spec_cost(model)
        rows.append(build_row(model, line, metrics, run, params=cost.params, macs=cost.macs))
    return sorted(rows, key=lambda row: row["macs"])


def write_accuracy_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the rows whole, in their order."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())
