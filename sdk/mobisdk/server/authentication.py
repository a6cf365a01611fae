"""Who a request comes from and what it may do. Routes ask for it by `Annotated[Token, Depends(allow("read"))]`."""

from collections.abc import Awaitable, Callable

from anyio.to_thread import run_sync
from fastapi import Request

from mobisdk.server.lab import lab_of
from mobisdk.server.problems import ProblemError
from mobisdk.server.tokens import Right, Token, find_token

_REFUSALS = {
    "read": "This token may not read.",
    "write": "This token may only read.",
    "manage": "This token may not manage others.",
}


def allow(right: Right) -> Callable[[Request], Awaitable[Token]]:
    """Make a dependency that lets a request through whose token has `right`."""

    async def find(request: Request) -> Token:
        token = await authenticate(request)
        if right not in token.rights:
            raise ProblemError(403, _REFUSALS[right])
        return token

    return find


async def authenticate(request: Request) -> Token:
    """Find the token of a request.

    Raises:
        ProblemError: 401 where there is none that is good.
    """
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise _unauthorized("A token is needed. Join with the QR code.")
    token = await run_sync(find_token, lab_of(request).store, secret.strip())
    if token is None:
        raise _unauthorized("Unknown token. Join again.")
    return token


def _unauthorized(detail: str) -> ProblemError:
    return ProblemError(401, detail, headers={"WWW-Authenticate": "Bearer"})
