"""Announces the server by DNS-SD, so that apps in the same network find it; a code is never in it."""

import contextlib
import ipaddress
import socket
from collections.abc import Iterator, Sequence
from typing import Final

from zeroconf import Error as ZeroconfError
from zeroconf import IPVersion, ServiceInfo, Zeroconf

from mobisdk.errors import ServerError
from mobisdk.server.link import Address

SERVICE_TYPE: Final = "_mobisdk._tcp.local."


@contextlib.contextmanager
def advertised(address: Address, interfaces: Sequence[str] | None = None) -> Iterator[None]:
    """Announce `address` for as long as the block runs, on every interface or on those with these addresses.

    Raises:
        ServerError: its host is a name, or this computer's network takes no announcements.
    """
    try:
        packed = ipaddress.ip_address(address.host).packed
    except ValueError as exc:
        raise ServerError("only an address can be announced", got=address.host, hint="Name one with --host") from exc
    name = socket.gethostname().split(".")[0]
    info = ServiceInfo(
        SERVICE_TYPE,
        f"mobisdk lab on {name}.{SERVICE_TYPE}",
        port=address.port,
        addresses=[packed],
        properties={"v": "1", **({"sha256": address.sha256} if address.sha256 else {})},
        server=f"{name}.local.",
    )
    try:
        zeroconf = Zeroconf(interfaces=list(interfaces), ip_version=IPVersion.V4Only) if interfaces else Zeroconf()
    except OSError as exc:
        raise ServerError(f"the network takes no announcements: {exc.strerror}", hint="Leave --advertise out") from exc
    try:
        zeroconf.register_service(info, allow_name_change=True)
        yield
    except ZeroconfError as exc:
        raise ServerError(f"the server cannot be announced: {exc}", hint="Leave --advertise out") from exc
    finally:
        zeroconf.close()
