"""`/v1/tokens`: a one-time code for a token."""

from typing import Annotated

import pydantic
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request

from mobisdk.server.lab import lab_of
from mobisdk.server.problems import ProblemError
from mobisdk.server.tokens import redeem_code

router = APIRouter()


class Join(pydantic.BaseModel):
    """A phone that joins."""

    code: Annotated[str, pydantic.Field(min_length=1, max_length=64)]
    name: Annotated[str, pydantic.Field(min_length=1, max_length=200, description="shown in the list of phones")]


class Joined(pydantic.BaseModel):
    """The phone's own token; it is never shown again."""

    token: str
    rights: list[str]


@router.post("/v1/tokens", status_code=201)
async def create_token(request: Request, join: Join) -> Joined:
    """Exchange the one-time code of a QR for a token of this phone's own."""
    lab = lab_of(request)
    redeemed = await run_sync(redeem_code, lab.store, join.code, "phone", join.name)
    if redeemed is None:
        raise ProblemError(401, "The code was used. Show a new one.")
    secret, token = redeemed
    return Joined(token=secret, rights=list(token.rights))
