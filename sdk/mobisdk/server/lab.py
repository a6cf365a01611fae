"""What the routes of one server process share."""

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.requests import HTTPConnection

from mobisdk.errors import ServerError
from mobisdk.report.accuracy import Accuracy
from mobisdk.server.bundles import BundleCatalog
from mobisdk.server.limits import Limits, Rates
from mobisdk.server.link import Address
from mobisdk.server.metrics import Metrics
from mobisdk.server.overview import Overview
from mobisdk.server.store.engine import Store
from mobisdk.server.store.writer import RunWriter


@dataclasses.dataclass(frozen=True)
class Lab:
    """A store and a folder of bundles, served at an address."""

    store: Store
    writer: RunWriter
    overview: Overview
    catalog: BundleCatalog
    metrics: Metrics
    limits: Limits
    rates: Rates
    address: Address
    """What the QR code holds: where phones reach this process, and how they know it."""
    accuracies: Mapping[str, Accuracy]
    """By variant, as `mobisdk evaluate` found them."""
    on_joined: Callable[[str], None]
    """Told the name of each phone that joins, which may be hostile text."""
    streams: asyncio.Semaphore
    """One for each page that may watch."""
    stopping: threading.Event
    """Set when the server ends: pages that watch are let go."""


def open_lab(
    store: Store,
    bundles: Path,
    address: Address,
    limits: Limits | None = None,
    accuracies: Mapping[str, Accuracy] | None = None,
    on_joined: Callable[[str], None] = lambda _: None,
) -> Lab:
    """Start what a server process needs; `close_lab` ends it."""
    limits = limits or Limits()
    return Lab(
        store,
        RunWriter(store),
        Overview(store),
        BundleCatalog(bundles),
        Metrics(),
        limits,
        Rates(limits),
        address,
        accuracies or {},
        on_joined,
        asyncio.Semaphore(limits.streams),
        threading.Event(),
    )


def warm_up(lab: Lab) -> None:
    """Do at once, and not for the first page that asks, what takes a second or two."""
    from mobisdk.server.routes.page import bundle_vega

    with contextlib.suppress(ServerError):  # the page will be told
        lab.overview.read()
    bundle_vega()


def close_lab(lab: Lab) -> None:
    """Write what waits, then close the store."""
    lab.writer.close()
    lab.store.close()


def lab_of(connection: HTTPConnection) -> Lab:
    """The lab that a request came to."""
    lab: Lab = connection.app.state.lab
    return lab
