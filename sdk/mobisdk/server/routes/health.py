"""`/v1/health` and `/v1/ready`: whether the process lives, and whether it can take runs."""

import pydantic
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request

from mobisdk.server.lab import Lab, lab_of
from mobisdk.server.store.engine import check_writable

router = APIRouter()


class Status(pydantic.BaseModel):
    """`ok`, or the answer is a problem."""

    status: str


@router.get("/v1/health")
async def get_health() -> Status:
    """Say that the process lives."""
    return Status(status="ok")


@router.get("/v1/ready")
async def get_ready(request: Request) -> Status:
    """Say whether runs can be stored now; 503 with the reason where not."""
    lab: Lab = lab_of(request)
    await run_sync(check_writable, lab.store)
    return Status(status="ok")
