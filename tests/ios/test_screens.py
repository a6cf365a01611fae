"""docs/apps.md, Screens: each screen and each state is in both apps."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KOTLIN = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "android/app/src/main/kotlin").rglob("*.kt"))
SWIFT = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "ios/MobiBench/MobiBench").rglob("*.swift"))
SECTION = (ROOT / "docs/apps.md").read_text(encoding="utf-8").split("\n## Screens\n")[1].split("\n## ")[0]
SCREENS, STATES = (
    [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    for table in re.findall(r"(?:^\|.*\n)+", SECTION, re.MULTILINE)
)


@pytest.mark.parametrize("row", SCREENS, ids=lambda row: row[0])
def test_a_screen_is_in_both_apps(row: list[str]) -> None:
    assert re.search(rf"\bclass {row[1].strip('`')}\b", KOTLIN)
    assert re.search(rf"\bstruct {row[2].strip('`')}: View\b", SWIFT)


@pytest.mark.parametrize("row", STATES, ids=lambda row: row[0])
def test_a_state_is_in_both_apps(row: list[str]) -> None:
    for name, field in re.findall(r"`\w+\.(\w+)(?:\((\w+)\))?`", row[1]):
        assert re.search(rf"\b(?:object|class) {name}\b", KOTLIN)
        assert not field or re.search(rf"\bval {field}\b", KOTLIN)
    for name, field in re.findall(r"`(\w+)(?:\((\w+)\))?`", row[2]):
        assert re.search(rf"\bcase {name}\b", SWIFT)
        assert not field or re.search(rf"\bvar {field}\b", SWIFT)


def test_the_swift_states_are_all_in_the_table() -> None:
    activity = (ROOT / "ios/MobiBench/MobiBench/Logic/Activity.swift").read_text(encoding="utf-8")
    cases = set(re.findall(r"^  case (\w+)", activity, re.MULTILINE))
    assert cases == {name for row in STATES for name in re.findall(r"`(\w+)", row[2])}
