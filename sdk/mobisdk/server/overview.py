"""What the page shows, kept up to date: figures of each group, phones, what was set aside.

A refresh reads the rows that came since the last one, then recomputes the groups that they belong to with the
estimator of `mobisdk analyze`: page and report say the same. A group's figures rest on its latest `MOST_RUNS` runs:
past that many, intervals hardly shrink, and a refresh stays short however large the store is.
"""

import collections
import dataclasses
import json
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from mobisdk.latency.analysis import GroupReport
from mobisdk.latency.record import BundleRef, Device, RuntimeInfo
from mobisdk.latency.stats import Quantile, estimate_quantile
from mobisdk.report.labels import runtime_label, threads_label
from mobisdk.report.printable import printable
from mobisdk.server.store.engine import Store
from mobisdk.server.store.incoming import samples_of
from mobisdk.server.store.schema import contents, groups, runs, set_aside

MOST_RUNS: Final = 1000
SLOWED: Final = 1.1
"""A run whose end is slower than its beginning by so much was throttled."""
_PAGE: Final = 20_000
_LATEST: Final = 20
_MOST_SET_ASIDE: Final = 100
_HOT = ("serious", "critical")
_NEWEST_SECONDS: Final = 0.2
_REST_FACTOR: Final = 1
"""After a refresh, so many times as long as it took: at most half a processor, while runs arrive and a page watches."""


@dataclasses.dataclass
class _Part:
    """One group in one mode."""

    runs: int = 0
    kept_apart: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    throttled: int = 0
    bundle_ids: set[str] = dataclasses.field(default_factory=set)
    last_at: int = 0
    figures: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class _Named:
    """A group's names, safe to show."""

    device_id: str
    device: str
    short: str
    platform: str
    is_emulator: bool
    model: str
    row: dict[str, Any]


class Overview:
    """The figures of one store. Any thread may ask; one at a time refreshes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._last_seq = 0
        self._groups: dict[str, _Named] = {}
        self._parts: dict[tuple[str, str], _Part] = {}
        self._stale: set[tuple[str, str]] = set()
        self._latest: collections.deque[dict[str, Any]] = collections.deque(maxlen=_LATEST)
        self._document: dict[str, Any] | None = None
        self._rest_until = 0.0
        self._newest = (0, 0)
        self._newest_until = 0.0

    def latest_seq(self) -> tuple[int, int]:
        """Numbers that grow with each run and each line set aside; pages ask often, the store is asked rarely."""
        if time.monotonic() >= self._newest_until:
            with self._store.reading() as connection:
                self._newest = _newest(connection, runs.c.seq), _newest(connection, set_aside.c.number)
            self._newest_until = time.monotonic() + _NEWEST_SECONDS
        return self._newest

    def read(self) -> dict[str, Any]:
        """Return the document that the page draws; right after a refresh that took long, that one's."""
        with self._lock:
            if self._document is None or time.monotonic() >= self._rest_until:
                started = time.monotonic()
                self._document = self._refresh()
                now = time.monotonic()
                self._rest_until = now + _REST_FACTOR * (now - started)
            return self._document

    def _refresh(self) -> dict[str, Any]:
        with self._store.reading() as connection:
            while self._read_rows(connection) == _PAGE:
                pass
            for key in sorted(self._stale):
                self._parts[key].figures = _compute_figures(connection, *key)
                self._stale.discard(key)
            aside, total_aside = _read_set_aside(connection)
        rows = [self._row(group_id, mode, part) for (group_id, mode), part in self._parts.items()]
        rows.sort(
            key=lambda row: (row["device"], row["arch"] or "", row["alpha"] or 0, row["resolution"] or 0, row["mode"])
        )
        return {
            "version": self._last_seq,
            "runs": sum(part.runs for part in self._parts.values()),
            "set_aside_total": total_aside,
            "phones": self._phones(),
            "rows": rows,
            "latest": list(reversed(self._latest)),
            "set_aside": aside,
        }

    def _read_rows(self, connection: Connection) -> int:
        columns = [
            column for column in runs.c if column.name not in ("run_id", "samples", "load_ns", "first_inference_ns")
        ]
        statement = sa.select(*columns).where(runs.c.seq > self._last_seq).order_by(runs.c.seq).limit(_PAGE)
        found = connection.execute(statement).all()
        self._read_groups(connection, {row.group_id for row in found} - self._groups.keys())
        for row in found:
            key = (row.group_id, row.mode)
            part = self._parts.setdefault(key, _Part())
            part.runs += 1
            part.last_at = max(part.last_at, row.received_at)
            part.bundle_ids.add(row.bundle_id)
            if row.kept_apart is not None:
                part.kept_apart[row.kept_apart] += 1
            is_throttled = row.thermal_after in _HOT or (row.slowdown or 0) >= SLOWED
            part.throttled += is_throttled
            self._stale.add(key)
        for row in found[-_LATEST:]:
            self._latest.append(self._describe_run(row))
        if found:
            self._last_seq = found[-1].seq
        return len(found)

    def _read_groups(self, connection: Connection, group_ids: set[str]) -> None:
        ordered = sorted(group_ids)
        for start in range(0, len(ordered), 500):
            wanted = ordered[start : start + 500]
            for row in connection.execute(sa.select(groups).where(groups.c.group_id.in_(wanted))):
                self._groups[row.group_id] = _name_group(row)

    def _describe_run(self, row: Any) -> dict[str, Any]:
        named = self._groups[row.group_id]
        return {
            "seq": row.seq,
            "received_at": row.received_at,
            "device": named.device,
            "device_short": named.short,
            "network": named.row["network"],
            "recipe": named.row["recipe"],
            "mode": row.mode,
            "median_ms": None if row.median_ns is None else row.median_ns / 1e6,
            "kept_apart": row.kept_apart,
            "throttled": row.thermal_after in _HOT or (row.slowdown or 0) >= SLOWED,
        }

    def _row(self, group_id: str, mode: str, part: _Part) -> dict[str, Any]:
        named = self._groups[group_id]
        return {
            "group_id": group_id,
            "device_id": named.device_id,
            "device": named.device,
            "device_short": named.short,
            "platform": named.platform,
            "model": named.model,
            **named.row,
            "mode": mode,
            "runs": part.runs,
            "bundles": len(part.bundle_ids),
            "kept_apart": dict(sorted(part.kept_apart.items())),
            "throttled": part.throttled,
            "last_at": part.last_at,
            **(part.figures or {}),
        }

    def _phones(self) -> list[dict[str, Any]]:
        phones: dict[str, dict[str, Any]] = {}
        for (group_id, _), part in self._parts.items():
            named = self._groups[group_id]
            phone = phones.setdefault(
                named.device_id,
                {
                    "device_id": named.device_id,
                    "device": named.device,
                    "platform": named.platform,
                    "is_emulator": named.is_emulator,
                    "model": named.model,
                    "runs": 0,
                    "throttled": 0,
                    "golden_failed": 0,
                    "last_at": 0,
                },
            )
            phone["runs"] += part.runs
            phone["throttled"] += part.throttled
            phone["golden_failed"] += part.kept_apart["golden image failed"]
            phone["last_at"] = max(phone["last_at"], part.last_at)
        return sorted(phones.values(), key=lambda phone: -phone["last_at"])


def _newest(connection: Connection, column: "sa.Column[int]") -> int:
    return int(connection.execute(sa.select(sa.func.max(column))).scalar_one() or 0)


def _compute_figures(connection: Connection, group_id: str, mode: str) -> dict[str, Any]:
    usable = (runs.c.group_id == group_id, runs.c.mode == mode, runs.c.kept_apart.is_(None))
    newest = sa.select(runs.c.seq).where(*usable).order_by(runs.c.seq.desc()).limit(MOST_RUNS)
    if mode == "cold":
        statement = sa.select(runs.c.load_ns, runs.c.first_inference_ns).where(runs.c.seq.in_(newest))
        found = connection.execute(statement).all()
        return {
            "used": len(found),
            "load": _figure([[row.load_ns] for row in found]),
            "first_inference": _figure([[row.first_inference_ns] for row in found]),
        }
    blobs = connection.execute(sa.select(contents.c.inference_ns).where(contents.c.seq.in_(newest))).scalars()
    samples = [samples_of(blob) for blob in blobs]
    return {"used": len(samples), **{f"p{q}": _figure(samples, q / 100) for q in (50, 90, 99)}}


def _figure(samples: Sequence[Any], q: float = 0.5) -> dict[str, Any] | None:
    if not samples:
        return None
    quantile: Quantile = estimate_quantile([np.asarray(values, np.int64) for values in samples], q)
    low, high = quantile.low_ns, quantile.high_ns
    return {
        "ms": quantile.value_ns / 1e6,
        "low_ms": None if low is None else low / 1e6,
        "high_ms": None if high is None else high / 1e6,
        "reason": quantile.reason,
    }


def _read_set_aside(connection: Connection) -> tuple[list[dict[str, Any]], int]:
    statement = sa.select(set_aside).order_by(set_aside.c.number.desc()).limit(_MOST_SET_ASIDE)
    found = connection.execute(statement).all()
    lines = [
        {
            "number": row.number,
            "received_at": row.received_at,
            "token_id": row.token_id,
            "line": row.line,
            "reason": printable(json.loads(row.reason)),
        }
        for row in found
    ]
    return lines, found[0].number if found else 0


def _name_group(row: Any) -> _Named:
    """Name a group as the report does."""
    document = json.loads(row.document)
    device, runtime = Device(**document["device"]), RuntimeInfo(**document["runtime"])
    bundle = BundleRef(bundle_id="", spec=None, weights_source="random", **document["bundle"])
    report = GroupReport(device, runtime, bundle, (), (), (), ())
    return _Named(
        device_id=row.device_id,
        device=printable(report.device_label),
        short=printable(report.device_label.split(" (")[0].split(", ")[0]),
        platform=printable(device.platform),
        is_emulator=device.is_emulator,
        model=device.model,
        row={
            "variant_id": row.variant_id,
            "network": printable(report.variant_label),
            "arch": None if bundle.arch is None else printable(bundle.arch),
            "alpha": bundle.alpha,
            "resolution": bundle.resolution,
            "recipe": printable(bundle.recipe),
            "runtime": runtime_label(report),
            "threads": threads_label(report),
            "thread_count": runtime.threads,
        },
    )
