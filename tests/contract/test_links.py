"""links.json against the standard library's own reading of a link, and against the server that writes them."""

import ipaddress
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mobisdk.server.link import Address, make_link, parse_link

CASES = json.loads(Path(__file__).with_name("links.json").read_text(encoding="utf-8"))
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def split_address(text: str) -> tuple[str, int]:
    """Raise ValueError where it is none."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+)):([0-9]{1,5})", text, re.ASCII)
    if match is None:
        raise ValueError(text)
    bracketed, name, port = match.groups()
    if bracketed is not None:
        ipaddress.IPv6Address(bracketed)
    elif not NAME.fullmatch(name):
        raise ValueError(name)
    if not 1 <= int(port) <= 65535:
        raise ValueError(port)
    return bracketed or name, int(port)


def is_address(text: str) -> bool:
    try:
        split_address(text)
    except ValueError:
        return False
    return True


def find_wrong_field(link: str) -> str | None:
    """Return the first field that breaks the contract."""
    if len(link) > 2048:
        return "link"
    parts = urlsplit(link)
    if parts.scheme != "mobisdk":
        return "scheme"
    if parts.netloc != "join" or parts.path or parts.fragment:
        return "action"
    keys = parse_qs(parts.query, keep_blank_values=True)
    rules = {
        "v": lambda text: text == "1",
        "address": is_address,
        "sha256": lambda text: re.fullmatch(r"[0-9a-f]{64}", text) is not None,
        "code": lambda text: re.fullmatch(r"[A-Za-z0-9_-]{16,64}", text) is not None,
    }
    for name, is_right in rules.items():
        if len(keys.get(name, [])) != 1 or not is_right(keys[name][0]):
            return name
    return None


@pytest.mark.parametrize("case", CASES["good"], ids=lambda case: case["name"])
def test_good_links_mean_what_they_say(case: dict[str, Any]) -> None:
    assert find_wrong_field(case["link"]) is None
    keys = parse_qs(urlsplit(case["link"]).query)
    host, port = split_address(keys["address"][0])
    meant = {"host": host, "port": port, "fingerprint": keys["sha256"][0], "code": keys["code"][0]}
    assert meant == case["expect"]


@pytest.mark.parametrize("case", CASES["good"], ids=lambda case: case["name"])
def test_the_server_writes_and_reads_good_links(case: dict[str, Any]) -> None:
    meant = case["expect"]
    address = Address(meant["host"], meant["port"], meant["fingerprint"])
    assert parse_link(case["link"]) == (address, meant["code"])
    written = make_link(address, meant["code"])
    assert find_wrong_field(written) is None
    assert parse_link(written) == (address, meant["code"])


@pytest.mark.parametrize("case", CASES["bad"] + CASES["without_tls"], ids=lambda case: case["name"])
def test_bad_links_break_the_rule_that_they_name(case: dict[str, Any]) -> None:
    assert find_wrong_field(case["link"]) == case["field"]
