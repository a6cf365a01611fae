"""Runs of a lab server, read over its interface page by page."""

import os
from collections.abc import Iterator
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from mobisdk.errors import ServerError
from mobisdk.latency.log import LONGEST_LINE_BYTES

TOKEN_VARIABLE: Final = "MOBISDK_LAB_TOKEN"  # noqa: S105
_PAGE: Final = 500
_TIMEOUT_S: Final = 30


class _NoRedirect(HTTPRedirectHandler):
    """A token goes to the server that was named, and to no other."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


def iterate_remote_lines(url: str) -> Iterator[bytes]:
    """Give the runs of the lab server at `url` (`https://lab:8443`), one a line; the token is in `MOBISDK_LAB_TOKEN`.

    Raises:
        ServerError: the server does not answer, refuses, or breaks off.
    """
    base = url.rstrip("/").removesuffix("/v1/runs")
    token = os.environ.get(TOKEN_VARIABLE)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    opener = build_opener(_NoRedirect())
    after = 0
    while True:
        request = Request(f"{base}/v1/runs?after={after}&limit={_PAGE}", headers=headers)  # noqa: S310
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as answer:
                has_more = 'rel="next"' in answer.headers.get("Link", "")
                next_after = int(answer.headers.get("X-Next-After", "-1"))
                while line := answer.readline(LONGEST_LINE_BYTES + 2):
                    yield line
        except HTTPError as error:
            hint = f"Put a token with the right to read into {TOKEN_VARIABLE}" if error.code in (401, 403) else None
            raise ServerError("the lab server refuses its runs", got=error.code, hint=hint) from error
        except (URLError, OSError, ValueError) as error:
            host = urlsplit(base).hostname
            raise ServerError(f"the lab server does not answer: {error}", got=host, hint="`mobisdk serve`") from error
        if not has_more:
            return
        if next_after <= after:
            raise ServerError("the lab server's pages do not go on", got=next_after, allowed=f"above {after}")
        after = next_after
