"""The announcement, heard by another one on loopback."""

import threading

import pytest
from zeroconf import IPVersion, ServiceBrowser, Zeroconf

from mobisdk.errors import ServerError
from mobisdk.server.advertise import SERVICE_TYPE, advertised
from mobisdk.server.link import Address


def test_server_when_announced_is_found_with_its_fingerprint_and_without_a_code() -> None:
    address = Address("127.0.0.1", 8765, "ab" * 32)
    heard: list[str] = []
    first = threading.Event()

    def on_change(name: str, **_: object) -> None:
        heard.append(name)
        first.set()

    with advertised(address, ["127.0.0.1"]):
        listening = Zeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
        try:
            ServiceBrowser(listening, SERVICE_TYPE, handlers=[on_change])
            assert first.wait(10)
            info = listening.get_service_info(SERVICE_TYPE, heard[0], timeout=3000)
            assert info is not None
            assert (info.parsed_addresses(), info.port) == (["127.0.0.1"], 8765)
            assert info.decoded_properties == {"v": "1", "sha256": "ab" * 32}
        finally:
            listening.close()


def test_name_is_not_announced() -> None:
    with pytest.raises(ServerError, match="only an address"), advertised(Address("lab.example", 1, None)):
        pass
