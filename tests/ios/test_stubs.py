"""ios/Stubs: every declaration names the page that it follows."""

import re
from pathlib import Path

import pytest

STUBS = sorted((Path(__file__).parents[2] / "ios/Stubs").rglob("*.swift"))
PAGE = re.compile(r"https://(developer\.apple\.com/documentation|github\.com/pytorch/executorch/blob/v[\d.]+)/\S+")


@pytest.mark.parametrize("path", STUBS, ids=lambda path: path.name)
def test_every_declaration_names_its_page(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    declared = 0
    for number, line in enumerate(lines):
        if not re.match(r"(@\w+(\([^)]*\))? )*(public|open|extension|class|final class)\b", line):
            continue
        declared += 1
        above = number - 1
        while lines[above].startswith("@"):
            above -= 1
        inside = lines[number + 1] if line.endswith("{") and number + 1 < len(lines) else ""
        assert PAGE.search(lines[above]) or PAGE.search(inside), f"{path.name}:{number + 1} {line}"
    assert declared


def test_there_are_stubs() -> None:
    assert len(STUBS) >= 12
