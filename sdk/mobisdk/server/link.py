"""The `mobisdk://join` link that a phone scans: where the server is, which certificate it has, and a one-time code.

Its form is written in `tests/contract/README.md`; both apps read it.
"""

import dataclasses
import io
import re
from collections import Counter
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from mobisdk.errors import ConfigError

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_CODE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Address:
    """Where a server is; without a certificate it has no TLS, which only loopback may do."""

    host: str
    """A name, an IPv4 address or an IPv6 address without brackets."""
    port: int
    sha256: str | None
    """Of the certificate's DER, 64 hexadecimal digits."""

    @property
    def authority(self) -> str:
        """`host:port`, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """`https://host:port`."""
        return f"{'https' if self.sha256 else 'http'}://{self.authority}"


def is_loopback(host: str) -> bool:
    """Whether only this computer reaches `host`."""
    return host in _LOOPBACK


def make_link(address: Address, code: str) -> str:
    """Write the link."""
    certificate = {"sha256": address.sha256} if address.sha256 else {}
    return f"mobisdk://join?{urlencode({'v': '1', 'address': address.authority, **certificate, 'code': code})}"


def parse_link(link: str) -> tuple[Address, str]:
    """Read a link, which may be hostile, into an address and a code.

    Raises:
        ConfigError: it is no link of a lab server, or of a newer one, or it asks to go without TLS over a network.
    """
    parts = urlsplit(link)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    values = dict(pairs)
    if parts.scheme != "mobisdk" or parts.netloc != "join":
        raise ConfigError("this is no link of a lab server", got=link[:20], allowed="mobisdk://join?…")
    twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    if twice:
        raise ConfigError("a key of the link is there twice", got=twice[0])
    if values.get("v") != "1":
        raise ConfigError("the link is of a newer server", got=values.get("v"), hint="Update mobisdk")
    address = urlsplit(f"//{values.get('address', '')}")
    try:
        host, port = address.hostname, address.port
    except ValueError as exc:
        raise ConfigError("the link's address is wrong", got=values.get("address")) from exc
    if not host or not port or address.username is not None or address.path:
        raise ConfigError("the link's address is wrong", got=values.get("address"), allowed="host:port")
    sha256 = values.get("sha256")
    if sha256 is not None and not _FINGERPRINT.fullmatch(sha256):
        raise ConfigError("the link's fingerprint is wrong", got=sha256, allowed="64 hexadecimal digits")
    if sha256 is None and not is_loopback(host):
        raise ConfigError(
            "the link's server has no TLS", got=host, hint="Only a server on this computer may do without"
        )
    code = values.get("code", "")
    if not _CODE.fullmatch(code):
        raise ConfigError("the link has no code", hint="Copy it whole")  # the code itself is a secret
    return Address(host, port, sha256), code


def draw_qr(link: str) -> str:
    """Draw the link's QR code for a terminal."""
    import segno

    drawn = io.StringIO()
    segno.make(link, error="l", boost_error=False).terminal(drawn, compact=True)
    return drawn.getvalue()


def draw_qr_svg(link: str) -> str:
    """Draw the link's QR code for a page: dark on white in either theme, or scanners fail."""
    import segno

    drawn = io.BytesIO()
    segno.make(link, error="l", boost_error=False).save(drawn, kind="svg", scale=4, light="white", xmldecl=False)
    return drawn.getvalue().decode()
