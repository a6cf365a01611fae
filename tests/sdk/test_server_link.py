"""The link of the QR code, and the certificate that it names."""

import hashlib
import ssl
import stat
from pathlib import Path

import pytest

from mobisdk.errors import ConfigError
from mobisdk.server.certificate import keep_certificate, read_certificate
from mobisdk.server.link import Address, draw_qr, draw_qr_svg, make_link, parse_link

CODE = "abcdefghijklmnop-_12"
PRINT = "ab" * 32


@pytest.mark.parametrize(
    "address",
    [
        Address("192.168.1.5", 8765, PRINT),
        Address("fe80::1", 8765, PRINT),
        Address("lab.example.org", 443, PRINT),
        Address("127.0.0.1", 8765, None),
        Address("::1", 8765, None),
    ],
)
def test_link_when_read_back_is_what_was_written(address: Address) -> None:
    assert parse_link(make_link(address, CODE)) == (address, CODE)


def test_link_has_the_form_that_the_apps_read() -> None:
    assert make_link(Address("192.168.1.5", 8765, PRINT), CODE) == (
        f"mobisdk://join?v=1&address=192.168.1.5%3A8765&sha256={PRINT}&code={CODE}"
    )


@pytest.mark.parametrize(
    "link",
    [
        "https://join?v=1",
        f"mobisdk://other?v=1&address=127.0.0.1:1&code={CODE}",
        f"mobisdk://join?v=2&address=127.0.0.1:1&code={CODE}",
        f"mobisdk://join?address=127.0.0.1:1&code={CODE}",
        f"mobisdk://join?v=1&v=1&address=127.0.0.1:1&code={CODE}",
        f"mobisdk://join?v=1&address=192.168.1.5:1&code={CODE}",
        f"mobisdk://join?v=1&address=127.0.0.1&code={CODE}",
        f"mobisdk://join?v=1&address=127.0.0.1:99999&code={CODE}",
        f"mobisdk://join?v=1&address=me@127.0.0.1:1&code={CODE}",
        f"mobisdk://join?v=1&address=127.0.0.1:1/x&code={CODE}",
        f"mobisdk://join?v=1&address=192.168.1.5:1&sha256=AB&code={CODE}",
        "mobisdk://join?v=1&address=127.0.0.1:1&code=short",
        "mobisdk://join?v=1&address=127.0.0.1:1",
    ],
)
def test_link_that_is_wrong_is_refused(link: str) -> None:
    with pytest.raises(ConfigError):
        parse_link(link)


def test_qr_code_is_the_links_for_a_terminal_and_a_page() -> None:
    link = make_link(Address("192.168.1.5", 8765, PRINT), CODE)
    assert draw_qr(link).count("\n") > 20
    assert draw_qr_svg(link).startswith("<svg")


def test_certificate_is_made_once_and_its_key_is_the_owners_alone(tmp_path: Path) -> None:
    made = keep_certificate(tmp_path / "lab", ["192.168.1.5", "lab.local"])
    assert keep_certificate(tmp_path / "lab", ["another"]) == made
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    der = ssl.PEM_cert_to_DER_cert(made.cert.read_text())
    assert made.sha256 == hashlib.sha256(der).hexdigest()
    assert made.names == ("lab.local",)
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(made.cert, made.key)


def test_certificate_with_another_ones_key_is_refused(tmp_path: Path) -> None:
    one, other = keep_certificate(tmp_path / "one", ["a"]), keep_certificate(tmp_path / "other", ["b"])
    with pytest.raises(ConfigError, match="not the certificate's"):
        read_certificate(one.cert, other.key)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_certificate(one.key, one.key)
