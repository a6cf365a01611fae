"""Predictions as tables and as JSON."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from mobisdk.latency.predict import Evaluation, LatencyModel, Prediction
from mobisdk.report.charts.surface import surface_point
from mobisdk.report.printable import printable
from mobisdk.specs import ModelSpec

SCHEMA: Final = "mobisdk.prediction/1"


def to_document(model: LatencyModel, predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Return the JSON document."""
    return {
        "schema": SCHEMA,
        "setting": dataclasses.asdict(model.setting),
        "measured_networks": len(model.observations),
        "prior_devices": list(model.prior_devices),
        "predictions": [_prediction(prediction) for prediction in predictions],
    }


def to_evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return the JSON document of a leave-one-out evaluation."""
    return {
        "schema": SCHEMA,
        "networks": len(evaluation.rows),
        "mape_percent": evaluation.mape_percent,
        "within_10_percent": evaluation.within_10_percent,
        "in_interval_percent": evaluation.in_interval_percent,
        "rows": [
            {
                **dataclasses.asdict(row.observation.setting),
                "measured_ms": row.observation.latency_ms,
                **_prediction(row.prediction),
                "error_percent": 100 * row.error,
            }
            for row in evaluation.rows
        ],
    }


def to_design_document(chosen: Sequence[ModelSpec]) -> dict[str, Any]:
    """Return the JSON document of networks to measure, the one that tells most first."""
    networks = [{"arch": spec.arch, "alpha": spec.alpha, "resolution": spec.resolution} for spec in chosen]
    return {"schema": SCHEMA, "to_measure": networks}


def format_prediction(prediction: Prediction) -> str:
    """`1.23 [1.10, 1.37]`."""
    return f"{prediction.latency_ms:.3g} [{prediction.low_ms:.3g}, {prediction.high_ms:.3g}]"


def build_prediction_table(predictions: Sequence[Prediction]) -> Table:
    """A line a network."""
    table = _table("network", "ms [95 % interval]", "mind")
    for prediction in predictions:
        table.add_row(
            prediction.spec.name, format_prediction(prediction), Text(printable("; ".join(prediction.cautions)))
        )
    return table


def build_grid_table(predictions: Sequence[Prediction]) -> Table:
    """A line a resolution, a column a width; `*` marks what is extrapolated."""
    alphas = sorted({prediction.spec.alpha for prediction in predictions})
    table = _table("ρ \\ α", *(f"{alpha:g}" for alpha in alphas))
    rows: dict[int, list[str]] = {}
    for prediction in sorted(predictions, key=lambda p: (p.spec.resolution, p.spec.alpha)):
        mark = "*" * any("extrapolated" in caution for caution in prediction.cautions)
        rows.setdefault(prediction.spec.resolution, []).append(f"{prediction.latency_ms:.3g}{mark}")
    for resolution, cells in rows.items():
        table.add_row(str(resolution), *cells)
    return table


def build_evaluation_table(evaluation: Evaluation) -> Table:
    """A line a network, the worst first."""
    table = _table("network", "measured ms", "predicted ms [95 % interval]", "error %")
    several = len({row.observation.setting for row in evaluation.rows}) > 1
    for row in sorted(evaluation.rows, key=lambda row: -abs(row.error)):
        where = f", {row.observation.setting.label}" if several else ""
        table.add_row(
            Text(printable(row.observation.spec.name + where)),
            f"{row.observation.latency_ms:.3g}",
            format_prediction(row.prediction),
            f"{100 * row.error:+.1f}",
        )
    return table


def surface_points(predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """Cells of a surface."""
    return [
        surface_point(p.spec.alpha, p.spec.resolution, p.latency_ms, f"{format_prediction(p)} ms", p.spec.name)
        for p in predictions
    ]


def _prediction(prediction: Prediction) -> dict[str, Any]:
    spec = prediction.spec
    return {
        **{name: getattr(spec, name) for name in ("arch", "alpha", "resolution")},
        "latency_ms": prediction.latency_ms,
        "low_ms": prediction.low_ms,
        "high_ms": prediction.high_ms,
        "extrapolated": any("extrapolated" in caution for caution in prediction.cautions),
        "cautions": list(prediction.cautions),
    }


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(first, overflow="fold")
    for column in numbers:
        is_text = column == "mind"
        table.add_column(column, justify="left" if is_text else "right", no_wrap=not is_text)
    return table
