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
    """Find the token of a request: a phone's in the header, or a page's in the cookie (EventSource sends no header).

    Raises:
        ProblemError: 401 where there is none that is good, 429 where it asks too often.
    """
    lab = lab_of(request)
    secret = _secret_of(request)
    if secret is None:
        raise _unauthorized("A token is needed. Join with the QR code.")
    check_guesses(request)
    token = await run_sync(find_token, lab.store, secret)
    if token is None:
        count_guess(request)
        raise _unauthorized("Unknown token. Join again.")
    request.state.token_id = token.token_id
    wait_s = lab.rates.by_token.take(token.token_id)
    if wait_s:
        raise ProblemError(429, f"At most {lab.limits.requests_a_minute} requests a minute.", retry_after_s=wait_s)
    return token


def check_guesses(request: Request) -> None:
    """Refuse, unheard, an address that has sent too many wrong secrets.

    Raises:
        ProblemError: 429.
    """
    wait_s = lab_of(request).rates.refusals.wait(_address(request))
    if wait_s:
        raise ProblemError(429, "Too many wrong tokens or codes from this address.", retry_after_s=wait_s)


def count_guess(request: Request) -> None:
    """Count a wrong secret against its address."""
    lab_of(request).rates.refusals.take(_address(request))


def cookie_name(request: Request) -> str:
    """The page's cookie; a browser sends cookies to every port of a host, so two servers need two names."""
    return f"mobisdk_session_{lab_of(request).address.port}"


def _secret_of(request: Request) -> str | None:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme:
        return secret.strip() if scheme.lower() == "bearer" and secret.strip() else None
    return request.cookies.get(cookie_name(request)) or None


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _unauthorized(detail: str) -> ProblemError:
    return ProblemError(401, detail, headers={"WWW-Authenticate": "Bearer"})
