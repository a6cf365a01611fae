"""`/v1/bundles`: what phones can run, and the files of it."""

from typing import Annotated, Literal

import pydantic
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response, StreamingResponse

from mobisdk.errors import BundleError
from mobisdk.server.authentication import allow
from mobisdk.server.bundles import BundleSummary
from mobisdk.server.byte_range import parse_range
from mobisdk.server.lab import lab_of
from mobisdk.server.problems import ProblemError

router = APIRouter(dependencies=[Depends(allow("read"))])


class Bundles(pydantic.BaseModel):
    """The newest first."""

    bundles: list[BundleSummary]


@router.get("/v1/bundles")
async def list_bundles(request: Request, platform: Literal["android", "ios"] | None = None) -> Bundles:
    """List the bundles that are whole."""
    found = await run_sync(lab_of(request).catalog.list_bundles)
    return Bundles(bundles=[summary for summary in found if platform in (None, summary.platform)])


@router.get(
    "/v1/bundles/{bundle_id}/files/{path:path}",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}, 206: {"description": "The part asked for"}},
)
async def get_file(
    request: Request, bundle_id: Annotated[str, pydantic.Field(max_length=64)], path: str
) -> StreamingResponse:
    """Send `manifest.json` or a file that it lists. `Range` with `If-Range` goes on with a download."""
    try:
        file = await run_sync(lab_of(request).catalog.open_file, bundle_id, path)
    except BundleError as exc:
        raise ProblemError(409, f"{exc}.") from exc
    if file is None:
        raise ProblemError(404, "No file of this bundle.")
    etag = f'"{file.sha256}"'
    headers = {"ETag": etag, "X-Content-SHA256": file.sha256, "Accept-Ranges": "bytes", "Cache-Control": "private"}
    asked = request.headers.get("range")
    part = None
    if asked is not None and request.headers.get("if-range", etag) == etag:
        try:
            part = parse_range(asked, file.size_bytes)
        except ProblemError:
            file.close()
            raise
    first, last = part or (0, file.size_bytes - 1)
    headers["Content-Length"] = str(last + 1 - first)
    if part is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{file.size_bytes}"
    return StreamingResponse(
        iterate_in_threadpool(file.read(first, last)),
        status_code=200 if part is None else 206,
        media_type="application/octet-stream",
        headers=headers,
    )
