"""`/v1/runs`: latency runs in and out, one a line."""

import asyncio
import time
from typing import Annotated

import anyio
import pydantic
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from mobisdk.errors import DataError
from mobisdk.server.authentication import allow
from mobisdk.server.body import decompress
from mobisdk.server.lab import lab_of
from mobisdk.server.limits import Limits
from mobisdk.server.problems import ProblemError
from mobisdk.server.store.incoming import IncomingRun, read_line
from mobisdk.server.store.runs import read_page
from mobisdk.server.tokens import Token

NDJSON = "application/x-ndjson"
_LONGEST_REASON = 500
_MOST_PARSING = 2
"""Threads that read lines: more of them would only wait for each other."""

router = APIRouter()
_parsing = anyio.CapacityLimiter(_MOST_PARSING)


class Rejected(pydantic.BaseModel):
    """A line that is no run, and why."""

    line: int
    reason: str


class Uploaded(pydantic.BaseModel):
    """The counts add up to the lines that were sent. What is counted as accepted is durable."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


@router.post(
    "/v1/runs",
    openapi_extra={"requestBody": {"required": True, "content": {NDJSON: {"schema": {"type": "string"}}}}},
)
async def upload_runs(request: Request, token: Annotated[Token, Depends(allow("write"))]) -> Uploaded:
    """Take runs, one a line, also with gzip. The same run again is a duplicate."""
    started = time.perf_counter()
    lab = lab_of(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != NDJSON:
        raise ProblemError(415, f"Send runs as {NDJSON}.")
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise ProblemError(415, "Send runs as they are, or with Content-Encoding: gzip.")
    body = await request.body()
    incoming, rejected = await run_sync(_read_lines, body, encoding == "gzip", lab.limits, limiter=_parsing)
    written = await asyncio.wrap_future(lab.writer.submit(token.token_id, incoming, rejected))
    rejected |= written.rejected
    seconds = time.perf_counter() - started
    lab.metrics.count_upload(written.accepted, written.duplicates, len(rejected), seconds)
    return Uploaded(
        accepted=written.accepted,
        duplicates=written.duplicates,
        rejected=[Rejected(line=line, reason=reason[:_LONGEST_REASON]) for line, reason in sorted(rejected.items())],
    )


def _read_lines(body: bytes, is_gzip: bool, limits: Limits) -> tuple[list[IncomingRun], dict[int, str]]:
    """Read every line: into runs, or reasons by line."""
    content = decompress(body, limits) if is_gzip else body
    lines = content.removesuffix(b"\n").split(b"\n") if content else []
    if len(lines) > limits.lines:
        raise ProblemError(413, f"At most {limits.lines} lines a request.")
    incoming, rejected = [], {}
    for number, line in enumerate(lines, start=1):
        try:
            incoming.append(read_line(number, line))
        except DataError as exc:
            rejected[number] = str(exc)
    return incoming, rejected


@router.get(
    "/v1/runs",
    response_class=Response,
    dependencies=[Depends(allow("read"))],
    responses={200: {"content": {NDJSON: {"schema": {"type": "string"}}}}},
)
async def download_runs(
    request: Request,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> Response:
    """Read runs in the order in which they came, as they were sent, one a line.

    Where there are more, `Link: <...>; rel="next"` leads to them. `X-Next-After` is the number to go on from.
    """
    page = await run_sync(read_page, lab_of(request).store, after, limit)
    headers = {"X-Next-After": str(page.next_after)}
    if page.has_more:
        headers["Link"] = f'</v1/runs?after={page.next_after}&limit={limit}>; rel="next"'
    return Response("".join(f"{line}\n" for line in page.lines), media_type=NDJSON, headers=headers)
