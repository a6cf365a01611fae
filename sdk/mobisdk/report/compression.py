"""The honest table: what each compression cost, and what a phone has of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mobisdk.report.frame import create_environment, render_page
from mobisdk.report.numbers import format_share

_LESS: Final = 0.95
"""Less than that of what it was: below noise and rounding nothing is gained."""
COLUMNS: Final = (
    "network",
    "technique",
    "right before",
    "right after",
    "params",
    "bits a weight",
    "android bytes",
    "ios bytes",
    "multiply-adds",
    "latency here",
    "the phone gains",
)


@dataclass(frozen=True)
class Measured:
    """A compressed network and the one that it was made from, as bundles of this computer."""

    android_bytes: int
    android_bytes_before: int
    """Of model.pte, which is also what it takes in memory."""
    ios_recipe: str
    ios_bytes: int
    ios_bytes_before: int
    """Of the float16 package."""
    latency_ns: float
    latency_ns_before: float
    """Median of the .pte here, one thread; both in turns."""


def tell_gain(measured: Measured) -> str:
    """Speed where the program is faster here, memory where it is smaller as it runs, else only the download."""
    gains = []
    if measured.latency_ns <= _LESS * measured.latency_ns_before:
        gains.append("speed")
    if measured.android_bytes <= _LESS * measured.android_bytes_before:
        gains.append("memory")
    if gains:
        return " and ".join(gains)
    return "the download only (iOS)" if measured.ios_bytes <= _LESS * measured.ios_bytes_before else "nothing"


def build_row(name: str, document: Mapping[str, Any], measured: Measured) -> dict[str, str]:
    """One compression in words and numbers, by column."""
    bits = 8 * document["size_bytes_after"] / document["params_before"]
    return {
        "network": name,
        "technique": " → ".join(document["methods"]),
        "right before": _share(document, "correct_before"),
        "right after": _share(document, "correct_after"),
        "params": f"{document['params_before']:,} → {document['params_after']:,}",
        "bits a weight": f"{bits:.3g}",
        # XNNPACK multiplies convolutions in float or int8 alone: codes are written out in full.
        "android bytes": _ratio(measured.android_bytes_before, measured.android_bytes)
        + (", codes run as float32" if measured.ios_recipe == "coreml_own_codes" else ""),
        "ios bytes": f"{_ratio(measured.ios_bytes_before, measured.ios_bytes)}, {measured.ios_recipe}",
        "multiply-adds": _ratio(document["macs_before"], document["macs_after"]),
        "latency here": f"{measured.latency_ns_before / 1e6:.3g} → {measured.latency_ns / 1e6:.3g} ms "
        f"({measured.latency_ns / measured.latency_ns_before:.2f} ×)",
        "the phone gains": tell_gain(measured),
    }


def build_compression_page(rows: Sequence[Mapping[str, str]], made_at: datetime) -> str:
    """The table as one offline page."""
    return render_page(create_environment(), "compression.html.j2", made_at, columns=COLUMNS, rows=rows)


def _share(document: Mapping[str, Any], field: str) -> str:
    if not document["tested"]:
        return "–"
    return format_share(document[field], document["tested"])


def _ratio(before: int, after: int) -> str:
    return f"{before:,} → {after:,} ({after / before:.2f} ×)"
