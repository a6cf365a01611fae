"""The socket and the loop: Uvicorn, with connections that are counted by address and dropped where they are slow."""

import asyncio
import contextlib
import errno
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mobisdk.errors import ServerError
from mobisdk.server.certificate import Certificate
from mobisdk.server.limits import Limits

_DRAIN_SECONDS = 20
_SWITCH_SECONDS = 0.001
"""So long the loop waits until a thread that parses gives way, several times a request; Python has 0.005."""


def bind(host: str, port: int) -> socket.socket:
    """Take the port before anything else is started.

    Raises:
        ServerError: it is in use, or the host is no address of this computer.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        listener.close()
        if exc.errno == errno.EADDRINUSE:
            raise ServerError("the port is in use", got=port, hint="Choose another with --port") from exc
        raise ServerError(f"cannot listen: {exc.strerror}", got=f"{host}:{port}") from exc
    return listener


def create_server(
    app: ASGIApp,
    certificate: Certificate | None,
    limits: Limits,
    ready: Callable[[], None],
    stopping: Callable[[], None],
) -> uvicorn.Server:
    """Make the server, to be run with `bind`'s socket until SIGTERM or Ctrl-C: it finishes what was begun.

    `ready` is called when connections are taken, `stopping` when they are to end.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    config = uvicorn.Config(
        app,
        http=_limited_protocol(limits),
        ws="none",
        loop="auto",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # whoever sends X-Forwarded-For would choose the address that limits count
        limit_concurrency=limits.connections,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        ssl_certfile=certificate.cert if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )
    return _Server(config, ready, stopping)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._stopping = stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let SIGTERM end the server and not, raised once more as Uvicorn does, the program: it exits with 0."""
        with super().capture_signals():
            yield
            self._captured_signals = [number for number in self._captured_signals if number != signal.SIGTERM]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)


def _limited_protocol(limits: Limits) -> type[asyncio.Protocol]:
    by_address: Counter[str] = Counter()

    class LimitedProtocol(HttpToolsProtocol):
        """Refuses an address too many connections; closes one whose headers are late or whose answer is not read."""

        _counted: str | None = None
        _slow: asyncio.TimerHandle | None = None
        _unread: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            address = str((transport.get_extra_info("peername") or ("",))[0])
            if by_address[address] >= limits.connections_by_address:
                transport.abort()
                return
            by_address[address] += 1
            self._counted = address
            self._slow = self.loop.call_later(limits.headers_seconds, transport.abort)

        def on_headers_complete(self) -> None:
            self._stop_waiting()
            super().on_headers_complete()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            if self._slow is None:
                self._slow = self.loop.call_later(limits.headers_seconds, self.transport.abort)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            if self._unread is not None:
                self._unread.cancel()
            if self._counted is not None:
                by_address[self._counted] -= 1
                if not by_address[self._counted]:
                    del by_address[self._counted]
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._unread = self.loop.call_later(limits.read_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._unread is not None:
                self._unread.cancel()

        def _stop_waiting(self) -> None:
            if self._slow is not None:
                self._slow.cancel()
                self._slow = None

    return LimitedProtocol
