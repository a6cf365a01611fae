"""A client of the lab server for programs: one connection, the server's certificate pinned by its fingerprint."""

import hashlib
import http.client
import json
import ssl
import time
from collections.abc import Mapping
from typing import Any, Final

from mobisdk.errors import ServerError
from mobisdk.server.link import Address

_SECONDS: Final = 30
_LARGEST_ANSWER_BYTES: Final = 16 * 2**20
_MOST_TRIES: Final = 8


class LabClient:
    """Asks one server, again where it says that it is busy. Not for several threads at once."""

    def __init__(self, address: Address, token: str | None = None) -> None:
        self._address = address
        self._token = token
        self._connection: http.client.HTTPConnection | None = None

    @classmethod
    def join(cls, address: Address, code: str, name: str) -> "LabClient":
        """Exchange a one-time code for a token.

        Raises:
            ServerError: the code was used, or the server cannot be reached or has another certificate.
        """
        with cls(address) as client:
            body = json.dumps({"code": code, "name": name}).encode()
            joined = client.request("POST", "/v1/tokens", body, {"Content-Type": "application/json"})
        return cls(address, joined["token"])

    def another(self) -> "LabClient":
        """A client of its own connection with this one's token."""
        return LabClient(self._address, self._token)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Send a request and read the JSON answer; 429 and 503 are waited for.

        Raises:
            ServerError: the server refuses, or cannot be reached.
        """
        sent = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        for _ in range(_MOST_TRIES):
            try:
                connection = self._connect()
                connection.request(method, path, body, sent | dict(headers or {}))
                response = connection.getresponse()
                content = response.read(_LARGEST_ANSWER_BYTES)
            except (OSError, http.client.HTTPException) as exc:
                self.close()
                raise ServerError(f"the lab server cannot be reached: {exc}", got=self._address.url) from exc
            if response.status not in (429, 503):
                break
            time.sleep(float(response.headers.get("Retry-After") or 1))
        try:
            document = json.loads(content)
        except ValueError as exc:
            raise ServerError("the lab server's answer is not JSON", got=response.status) from exc
        if not 200 <= response.status < 300:
            raise ServerError(f"the lab server refused: {document.get('detail')}", got=response.status)
        return document

    def close(self) -> None:
        """Close the connection; the next request opens one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> "LabClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            if self._address.sha256 is None:
                self._connection = http.client.HTTPConnection(self._address.host, self._address.port, timeout=_SECONDS)
            else:
                self._connection = _connect_pinned(self._address)
        return self._connection


def _connect_pinned(address: Address) -> http.client.HTTPSConnection:
    """Connect and compare the certificate's fingerprint, before anything is sent; names and dates do not matter."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address.host, address.port, timeout=_SECONDS, context=context)
    connection.connect()
    certificate = connection.sock.getpeercert(binary_form=True) or b""
    if hashlib.sha256(certificate).hexdigest() != address.sha256:
        connection.close()
        raise ServerError("the server has another certificate than the link says", hint="Show a new QR code")
    return connection
