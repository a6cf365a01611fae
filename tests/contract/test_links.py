"""links.json against the standard library's own reading of a link."""

import ipaddress
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

CASES = json.loads(Path(__file__).with_name("links.json").read_text(encoding="utf-8"))
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return NAME.fullmatch(text) is not None
    return "%" not in text


def find_wrong_field(link: str) -> str | None:
    """Return the first field that breaks the contract."""
    if len(link) > 2048:
        return "link"
    parts = urlsplit(link)
    if parts.scheme != "mobisdk":
        return "scheme"
    if parts.netloc.lower() != "join" or parts.path or parts.fragment:
        return "action"
    keys = parse_qs(parts.query, keep_blank_values=True)
    rules = {
        "host": is_host,
        "port": lambda text: re.fullmatch(r"[0-9]{1,5}", text) is not None and 1 <= int(text) <= 65535,
        "fingerprint": lambda text: re.fullmatch(r"[0-9A-Fa-f]{64}", text) is not None,
        "code": lambda text: re.fullmatch(r"[A-Za-z0-9_-]{1,128}", text) is not None,
    }
    for name, is_right in rules.items():
        if len(keys.get(name, [])) != 1 or not is_right(keys[name][0]):
            return name
    return None


@pytest.mark.parametrize("case", CASES["good"], ids=lambda case: case["name"])
def test_good_links_mean_what_they_say(case: dict[str, Any]) -> None:
    assert find_wrong_field(case["link"]) is None
    keys = parse_qs(urlsplit(case["link"]).query)
    meant = {
        "host": keys["host"][0],
        "port": int(keys["port"][0]),
        "fingerprint": keys["fingerprint"][0].lower(),
        "code": keys["code"][0],
    }
    assert meant == case["expect"]


@pytest.mark.parametrize("case", CASES["bad"], ids=lambda case: case["name"])
def test_bad_links_break_the_rule_that_they_name(case: dict[str, Any]) -> None:
    assert find_wrong_field(case["link"]) == case["field"]
