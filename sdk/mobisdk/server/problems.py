"""Errors as RFC 9457 problems: a status, its title, and a sentence for a person."""

import asyncio
import contextlib
import http
import math
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from mobisdk.server.store.engine import StoreUnavailableError

_DRAIN_SECONDS = 20
_TITLES = {
    413: "Content Too Large",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}  # RFC 9110's words, not those of older ones


class ProblemError(HTTPException):
    """A request that is refused: `detail` is a sentence for a person, shown by the apps."""

    def __init__(
        self, status: int, detail: str, *, retry_after_s: float | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        retry = {} if retry_after_s is None else {"Retry-After": str(max(1, math.ceil(retry_after_s)))}
        super().__init__(status, detail, {**(headers or {}), **retry})


class ProblemResponse(JSONResponse):
    """The answer that `error` stands for."""

    media_type = "application/problem+json"

    def __init__(self, error: HTTPException) -> None:
        status = error.status_code
        self.drains = status in (408, 413, 415)
        title = _TITLES.get(status) or http.HTTPStatus(status).phrase
        headers = {**(error.headers or {}), **({"Connection": "close"} if self.drains else {})}
        super().__init__(
            {"type": "about:blank", "title": title, "status": status, "detail": error.detail}, status, headers
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. A client that is still sending would be reset and never see why: what it sends is thrown away."""
        if not self.drains:
            return await super().__call__(scope, receive, send)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        message: Message = {"type": "http.request", "more_body": True}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while message["type"] == "http.request" and message.get("more_body"):
                    message = await receive()
        await send({"type": "http.response.body"})
        return None


RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": "A problem (RFC 9457)",
        "content": {
            "application/problem+json": {
                "schema": {
                    "type": "object",
                    "required": ["type", "title", "status", "detail"],
                    "properties": {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string", "description": "a sentence for a person"},
                    },
                }
            }
        },
    }
    for status in (422, "default")
}
"""What the OpenAPI document says of every route's errors."""


def add_handlers(app: FastAPI) -> None:
    """Make every error that leaves a route of `app` a problem."""

    @app.exception_handler(StoreUnavailableError)
    async def on_unavailable(_: Request, exc: StoreUnavailableError) -> ProblemResponse:
        return ProblemResponse(ProblemError(503, str(exc), retry_after_s=exc.retry_after_s))

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, exc: HTTPException) -> ProblemResponse:
        return ProblemResponse(exc)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, exc: RequestValidationError) -> ProblemResponse:
        first = exc.errors()[0]
        where = ".".join(str(part)[:100] for part in first["loc"])
        return ProblemResponse(ProblemError(422, f"{where} is wrong: {first['msg'][:300]}"))

    @app.exception_handler(Exception)
    async def on_error(_: Request, __: Exception) -> ProblemResponse:
        return ProblemResponse(ProblemError(500, "See the server's log."))
