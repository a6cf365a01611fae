"""Bodies of requests, read no further than the limits allow."""

import asyncio
import zlib
from collections.abc import Iterator

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mobisdk.server.limits import Limits
from mobisdk.server.problems import ProblemError

_CHUNK_BYTES = 1024 * 1024
UPLOAD = ("POST", "/v1/runs")


class LimitedBodies:
    """Bounds every request's body: its size, how long it takes, and how much all of them hold together."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through; reading its body raises ProblemError 408, 413 or 503."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        is_upload = (scope["method"], scope["path"]) == UPLOAD
        most_bytes = self._limits.body_bytes if is_upload else self._limits.small_body_bytes
        length = dict(scope["headers"]).get(b"content-length", b"0")
        deadline = asyncio.get_running_loop().time() + self._limits.body_seconds
        held = 0
        is_refused = False

        async def receive_limited() -> Message:
            nonlocal held, is_refused
            if is_refused:
                return await receive()  # the answer says why; what else comes is thrown away
            is_refused = True
            message = await receive_checked()
            is_refused = False
            return message

        async def receive_checked() -> Message:
            nonlocal held
            if not length.isdigit() or int(length[:20]) > most_bytes:
                raise ProblemError(413, f"At most {_size(most_bytes)} a request.")
            try:
                async with asyncio.timeout_at(deadline if held or length != b"0" else None):
                    message = await receive()
            except TimeoutError as exc:
                raise ProblemError(408, f"The body took more than {self._limits.body_seconds:g} seconds.") from exc
            count = len(message.get("body", b""))
            held += count
            self._held_bytes += count
            if held > most_bytes:
                raise ProblemError(413, f"At most {_size(most_bytes)} a request.")
            if self._held_bytes > self._limits.bodies_bytes:
                raise ProblemError(503, "Too many uploads at once.", retry_after_s=5)
            return message

        try:
            await self._app(scope, receive_limited, send)
        finally:
            self._held_bytes -= held
        return None


def decompress(body: bytes, limits: Limits) -> bytes:
    """Undo gzip.

    Raises:
        ProblemError: 400 where it is not whole or no gzip, 413 where it grows past the limits.
    """
    content = bytearray()
    for piece in _inflate(body):
        content += piece
        if len(content) > limits.decompressed_bytes:
            raise ProblemError(413, f"At most {_size(limits.decompressed_bytes)} a request when decompressed.")
        if len(content) > max(limits.ratio_free_bytes, limits.compression_ratio * len(body)):
            raise ProblemError(413, f"The body grows more than {limits.compression_ratio} times when decompressed.")
    return bytes(content)


def _inflate(body: bytes) -> Iterator[bytes]:
    rest = body
    while True:
        member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            while not member.eof:
                piece = member.decompress(rest, _CHUNK_BYTES)
                rest = member.unconsumed_tail
                if not piece and not rest and not member.eof:
                    raise ProblemError(400, "The gzip body is cut: it ends early.")
                yield piece
        except zlib.error as exc:
            raise ProblemError(400, f"The body is no gzip: {exc}.") from exc
        rest = member.unused_data  # gzip allows several members one after the other
        if not rest:
            return


def _size(count: int) -> str:
    return f"{count // 2**20} MiB" if count >= 2**20 else f"{count // 1024} KiB"
