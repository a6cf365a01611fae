"""`/v1/tokens`, `/v1/codes` and `/v1/session`: who may do what."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import pydantic
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request, Response

from mobisdk.errors import ConfigError
from mobisdk.server.authentication import allow, authenticate, check_guesses, cookie_name, count_guess
from mobisdk.server.lab import lab_of
from mobisdk.server.link import draw_qr_svg, make_link
from mobisdk.server.problems import ProblemError
from mobisdk.server.tokens import (
    CODE_SECONDS,
    SESSION_SECONDS,
    Kind,
    Token,
    create_code,
    list_tokens,
    redeem_code,
    revoke_token,
)

router = APIRouter()
manage = allow("manage")
Code = Annotated[str, pydantic.Field(min_length=1, max_length=64)]


class Join(pydantic.BaseModel):
    """A phone that joins."""

    code: Code
    name: Annotated[str, pydantic.Field(min_length=1, max_length=200, description="shown in the list of phones")]


class SignIn(pydantic.BaseModel):
    """A page that signs in."""

    code: Code


class Joined(pydantic.BaseModel):
    """The phone's own token; it is never shown again."""

    token: str
    rights: list[str]


class ListedToken(pydantic.BaseModel):
    """A token without its secret."""

    token_id: str
    kind: str
    name: str
    rights: list[str]
    created_at: str
    is_own: bool


class Tokens(pydantic.BaseModel):
    """The newest first."""

    tokens: list[ListedToken]


class NewCode(pydantic.BaseModel):
    """What the code shall give, at most."""

    rights: Annotated[list[Literal["read", "write"]], pydantic.Field(min_length=1, max_length=2)] = ["read", "write"]


class MadeCode(pydantic.BaseModel):
    """A one-time code as a link, and as a picture (SVG)."""

    link: str
    qr_svg: str
    lifetime_s: int


class Session(pydantic.BaseModel):
    """What the page may do."""

    rights: list[str]


@router.post("/v1/tokens", status_code=201)
async def create_token(request: Request, join: Join) -> Joined:
    """Exchange the one-time code of a QR for a token of this phone's own."""
    secret, token = await _redeem(request, join.code, "phone", join.name)
    await run_sync(lab_of(request).on_joined, token.name)
    return Joined(token=secret, rights=list(token.rights))


@router.get("/v1/tokens")
async def get_tokens(request: Request, own: Annotated[Token, Depends(manage)]) -> Tokens:
    """List the tokens that are good."""
    found = await run_sync(list_tokens, lab_of(request).store)
    return Tokens(tokens=[_listed(token, own) for token in found])


@router.delete("/v1/tokens/{token_id}", status_code=204, dependencies=[Depends(manage)])
async def delete_token(request: Request, token_id: str) -> None:
    """Revoke a token: its next request is refused."""
    try:
        await run_sync(revoke_token, lab_of(request).store, token_id)
    except ConfigError as exc:
        raise ProblemError(404, "There is no such token.") from exc


@router.post("/v1/codes", status_code=201, dependencies=[Depends(manage)])
async def make_code(request: Request, new: NewCode) -> MadeCode:
    """Make a one-time code for the next phone."""
    lab = lab_of(request)
    code = await run_sync(create_code, lab.store, new.rights)
    link = make_link(lab.address, code)
    return MadeCode(link=link, qr_svg=await run_sync(draw_qr_svg, link), lifetime_s=CODE_SECONDS)


@router.post("/v1/session", status_code=201)
async def sign_in(request: Request, response: Response, body: SignIn) -> Session:
    """Exchange a one-time code for a session of the page, in a cookie that no script can read."""
    secret, token = await _redeem(request, body.code, "page", "page")
    response.set_cookie(
        cookie_name(request),
        secret,
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=lab_of(request).address.sha256 is not None,
    )
    return Session(rights=list(token.rights))


@router.get("/v1/session")
async def get_session(request: Request) -> Session:
    """Say what this page may do; no right at all before it has signed in."""
    if not request.cookies.get(cookie_name(request)):
        return Session(rights=[])
    try:
        return Session(rights=list((await authenticate(request)).rights))
    except ProblemError as exc:
        if exc.status_code != 401:
            raise
        return Session(rights=[])


@router.delete("/v1/session", status_code=204)
async def sign_out(request: Request, response: Response, own: Annotated[Token, Depends(authenticate)]) -> None:
    """End the session."""
    await run_sync(revoke_token, lab_of(request).store, own.token_id)
    response.delete_cookie(cookie_name(request), httponly=True, samesite="strict")


async def _redeem(request: Request, code: str, kind: Kind, name: str) -> tuple[str, Token]:
    check_guesses(request)
    redeemed = await run_sync(redeem_code, lab_of(request).store, code, kind, name)
    if redeemed is None:
        count_guess(request)
        raise ProblemError(401, "The code was used. Show a new one.")
    request.state.token_id = redeemed[1].token_id
    return redeemed


def _listed(token: Token, own: Token) -> ListedToken:
    return ListedToken(
        token_id=token.token_id,
        kind=token.kind,
        name=token.name,
        rights=list(token.rights),
        created_at=datetime.fromtimestamp(token.created_at / 1000, UTC).isoformat(timespec="seconds"),
        is_own=token.token_id == own.token_id,
    )
