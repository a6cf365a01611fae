"""`/v1/plan`: which bundles a phone should run next."""

from typing import Annotated, Literal

import pydantic
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Query, Request

from mobisdk.server.authentication import allow
from mobisdk.server.lab import lab_of
from mobisdk.server.plan import PlannedBundle, make_plan

router = APIRouter(dependencies=[Depends(allow("read"))])


class Plan(pydantic.BaseModel):
    """The least known first; empty where every bundle is known well enough."""

    plan: list[PlannedBundle]


@router.get("/v1/plan")
async def get_plan(
    request: Request,
    device: Annotated[str, Query(min_length=1, max_length=200, description="the phone's model, as its runs say it")],
    platform: Literal["android", "ios"] | None = None,
) -> Plan:
    """Plan the next runs of a phone."""
    lab = lab_of(request)
    overview = await run_sync(lab.overview.read)
    bundles = await run_sync(lab.catalog.list_bundles)
    wanted = [bundle for bundle in bundles if platform in (None, bundle.platform)]
    return Plan(plan=await run_sync(make_plan, wanted, overview["rows"], device))
