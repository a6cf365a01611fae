"""What the page draws and downloads, and the event stream that tells it when to look again."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from mobisdk.server.authentication import allow, authenticate
from mobisdk.server.lab import Lab, lab_of
from mobisdk.server.problems import ProblemError
from mobisdk.server.store.engine import StoreUnavailableError
from mobisdk.server.tables import FILTERS, MEDIA_TYPES, Format, filter_rows, write_table
from mobisdk.server.timeline import read_timelines

router = APIRouter(dependencies=[Depends(allow("read"))])

_LOOK_SECONDS = 0.25
_LOOKS_A_COMMENT = 40
"""A comment now and then keeps the connection, and shows whether the page's session still holds."""


def _filters(
    device_id: Annotated[str | None, Query(max_length=64)] = None,
    platform: Annotated[str | None, Query(max_length=400)] = None,
    arch: Annotated[str | None, Query(max_length=400)] = None,
    recipe: Annotated[str | None, Query(max_length=400)] = None,
    mode: Literal["cold", "burst", "sustained", "production"] | None = None,
) -> dict[str, str]:
    values = (device_id, platform, arch, recipe, mode)
    return {name: value for name, value in zip(FILTERS, values, strict=True) if value is not None}


Filters = Annotated[dict[str, str], Depends(_filters)]


@router.get("/v1/overview")
async def get_overview(request: Request) -> dict[str, Any]:
    """Return phones, figures by device × variant × mode, the latest runs, and lines set aside."""
    lab = lab_of(request)
    document = await run_sync(lab.overview.read)
    macs = await run_sync(lab.catalog.macs_by_variant)
    accuracies = {
        variant_id: {"share": accuracy.share, "low": accuracy.low, "high": accuracy.high}
        for variant_id, accuracy in lab.accuracies.items()
    }
    refused = await run_sync(lab.catalog.list_refused)
    return document | {"accuracies": accuracies, "macs": macs, "refused_bundles": refused}


@router.get("/v1/timelines")
async def get_timelines(request: Request, filters: Filters) -> dict[str, Any]:
    """Return how latency went on in each group's latest sustained runs: `{timelines: {group_id: [{s, ms}]}}`."""
    lab = lab_of(request)
    rows = filter_rows((await run_sync(lab.overview.read))["rows"], filters | {"mode": "sustained"})
    latest = sorted(rows, key=lambda row: -row["last_at"])
    return {"timelines": await run_sync(read_timelines, lab.store, [row["group_id"] for row in latest])}


@router.get("/v1/figures", response_class=Response)
async def get_figures(request: Request, filters: Filters, format: Format = "json") -> Response:  # noqa: A002
    """Download the figures as the page's filters leave them."""
    rows = filter_rows((await run_sync(lab_of(request).overview.read))["rows"], filters)
    content = await run_sync(write_table, rows, format)
    disposition = {"Content-Disposition": f'attachment; filename="mobisdk-latency.{format}"'}
    return Response(content, media_type=MEDIA_TYPES[format], headers=disposition)


@router.get("/v1/events", response_class=Response)
async def get_events(request: Request) -> StreamingResponse:
    """Send an event (text/event-stream) whenever runs came: `{version}`, to compare with the overview's."""
    lab = lab_of(request)
    if lab.streams.locked():
        raise ProblemError(503, "Too many pages watch.", retry_after_s=10)
    return StreamingResponse(_watch(request, lab), media_type="text/event-stream")


async def _watch(request: Request, lab: Lab) -> AsyncIterator[str]:
    async with lab.streams:
        last = None
        yield "retry: 1000\n\n"
        looks = 0
        while not lab.stopping.is_set() and not await request.is_disconnected():
            try:
                newest = await run_sync(lab.overview.latest_seq)
                if looks % _LOOKS_A_COMMENT == 0:
                    await authenticate(request)
                    yield ": still here\n\n"
            except (StoreUnavailableError, ProblemError):
                return  # the browser connects again, and is told why where it matters
            if newest != last:
                last = newest
                yield f"event: runs\ndata: {json.dumps({'version': newest[0]})}\n\n"
            looks += 1
            await asyncio.sleep(_LOOK_SECONDS)
