"""`/metrics`, for Prometheus; it needs a token as everything does."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from mobisdk.server.authentication import allow
from mobisdk.server.lab import lab_of
from mobisdk.server.metrics import CONTENT_TYPE

router = APIRouter(dependencies=[Depends(allow("read"))])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def get_metrics(request: Request) -> Response:
    """Count requests, lines and seconds since this process started."""
    lab = lab_of(request)
    return Response(lab.metrics.write(lab.writer.waiting_runs), media_type=CONTENT_TYPE)
