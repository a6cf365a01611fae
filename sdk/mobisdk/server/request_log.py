"""One line of JSON a request, and the limit of requests by address. No header, query or body is in it: no secret."""

import json
import logging
import logging.handlers
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mobisdk.server.limits import Rates
from mobisdk.server.metrics import Metrics
from mobisdk.server.problems import ProblemError, ProblemResponse

_LONGEST_PATH: Final = 500
_LONGEST_ERROR: Final = 20_000
_FILE_BYTES: Final = 20 * 2**20


def open_log(path: Path) -> logging.Logger:
    """Log to `path`, and when that is full to a new one; one old file is kept."""
    logger = logging.Logger("mobisdk.requests")
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=_FILE_BYTES, backupCount=1, delay=True)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    return logger


class RequestLog:
    """Logs and counts every request, also those that fail, and refuses addresses that ask too often."""

    def __init__(self, app: ASGIApp, logger: logging.Logger, rates: Rates, metrics: Metrics) -> None:
        self._app = app
        self._logger = logger
        self._rates = rates
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and log it when its answer has ended."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = time.perf_counter()
        address = (scope.get("client") or ("",))[0]
        entry: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "address": address,
            "method": scope["method"][:20],
            "path": scope["path"][:_LONGEST_PATH],
            "status": None,
            "sent_bytes": 0,
        }
        scope.setdefault("state", {})

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            entry["sent_bytes"] += len(message.get("body", b""))
            await send(message)

        try:
            wait_s = self._rates.by_address.take(address)
            if wait_s:
                detail = f"At most {self._rates.by_address.a_minute} requests a minute from one address."
                return await ProblemResponse(ProblemError(429, detail, retry_after_s=wait_s))(
                    scope, receive, send_counted
                )
            await self._app(scope, receive, send_counted)
        except Exception:
            entry["error"] = traceback.format_exc()[-_LONGEST_ERROR:]
            raise
        finally:
            entry["milliseconds"] = round((time.perf_counter() - started) * 1000, 1)
            entry["token"] = scope["state"].get("token_id")
            self._metrics.count_request(entry["method"], entry["status"] or 500)
            self._logger.info(json.dumps(entry))
        return None
