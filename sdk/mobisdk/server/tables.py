"""The figures as a file: CSV, JSON or Parquet, filtered as the page is."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from mobisdk.errors import DataError

Format = Literal["csv", "json", "parquet"]
FILTERS: Final = ("device_id", "platform", "arch", "recipe", "mode")
MEDIA_TYPES: Final[Mapping[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
_COLUMNS: Final = (
    "device", "platform", "network", "arch", "alpha", "resolution", "recipe", "runtime", "threads", "variant_id",
    "mode", "runs", "used", "throttled", "last_at",
)  # fmt: skip
_FIGURES: Final = ("p50", "p90", "p99", "load", "first_inference")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def filter_rows(rows: Sequence[Mapping[str, Any]], filters: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Keep the rows that have every value of `filters`."""
    return [row for row in rows if all(row[name] == value for name, value in filters.items())]


def write_table(rows: Sequence[Mapping[str, Any]], kind: Format) -> bytes:
    """Write overview rows, one a line, the same columns in every format; times are in milliseconds."""
    table = [_flatten(row) for row in rows]
    if kind == "json":
        return json.dumps(table, allow_nan=False).encode()
    if kind == "csv":
        return _write_csv(table)
    return _write_parquet(table)


def _flatten(row: Mapping[str, Any]) -> dict[str, Any]:
    flat = {name: row.get(name) for name in _COLUMNS}
    for name in _FIGURES:
        figure = row.get(name) or {}
        flat |= {f"{name}_ms": figure.get("ms")}
        flat |= {f"{name}_{bound}_ms": figure.get(f"{bound}_ms") for bound in ("low", "high")}
    flat["kept_apart"] = ", ".join(f"{reason} ({count})" for reason, count in row["kept_apart"].items())
    return flat


def _write_csv(table: Sequence[Mapping[str, Any]]) -> bytes:
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    names = list(table[0] if table else _flatten({"kept_apart": {}}))
    writer.writerow(names)
    for row in table:
        writer.writerow([_escape(row[name]) for name in names])
    return written.getvalue().encode()


def _escape(value: Any) -> Any:
    """Put an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _write_parquet(table: Sequence[Mapping[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = {
        "device",
        "platform",
        "network",
        "arch",
        "recipe",
        "runtime",
        "threads",
        "variant_id",
        "mode",
        "kept_apart",
    }
    whole = {"resolution", "runs", "used", "throttled", "last_at"}
    names = list(_flatten({"kept_apart": {}}))
    kinds = {name: pa.string() if name in texts else pa.int64() if name in whole else pa.float64() for name in names}
    written = pa.BufferOutputStream()
    try:
        columns = {name: pa.array([row[name] for row in table], kinds[name]) for name in names}
        pq.write_table(pa.table(columns), written)
    except pa.ArrowInvalid as exc:
        raise DataError(f"the figures cannot be written as Parquet: {exc}") from exc
    return bytes(written.getvalue().to_pybytes())
