"""docs/apps.md against the code: each noun in each language, each state and sentence in both apps' libraries."""

import re
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "apps.md").read_text(encoding="utf-8")
FOLDERS = {
    "python": ("sdk/mobisdk", ".py"),
    "kotlin": ("android", ".kt"),
    "swift": ("ios/MobiRuntime/Sources/MobiRuntime", ".swift"),
}
DECLARED = r"\b(?:class|def|interface|object|fun|struct|actor|enum|protocol|func)\s+{}\b"
HOLE = r"[^\"\n]{1,60}"


@cache
def source_of(language: str) -> str:
    folder, suffix = FOLDERS[language]
    files = sorted((REPOSITORY / folder).rglob(f"*{suffix}"))
    return "\n".join(file.read_text(encoding="utf-8") for file in files if "test" not in file.parts)


def rows_of(heading: str) -> list[list[str]]:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("row", rows_of("Nouns"), ids=lambda row: row[1])
def test_a_noun_is_declared_in_each_language(row: list[str]) -> None:
    for language, cell in zip(FOLDERS, row, strict=False):
        name = cell.strip("`")
        if name:
            assert re.search(DECLARED.format(re.escape(name)), source_of(language)), f"{name} is not in {language}"


@pytest.mark.parametrize("row", rows_of("States")[:5], ids=lambda row: row[0])
def test_a_state_is_spelled_alike(row: list[str]) -> None:
    for word in re.findall(r"`(\w+)`", row[1]):
        assert re.search(rf"\bcase [^\n]*\b{word}\b|= \"{word}\"", source_of("swift")), f"{word} is not in swift"
        assert re.search(rf"SerialName\(\"{word}\"\)|\"{word}\"", source_of("kotlin")), f"{word} is not in kotlin"


@pytest.mark.parametrize("row", rows_of("Sentences"), ids=lambda row: row[1])
def test_a_sentence_is_the_same_in_both(row: list[str]) -> None:
    pattern = HOLE.join(re.escape(part) for part in row[1].strip("`").split("…"))
    for language in ("kotlin", "swift"):
        assert re.search(rf"\"{pattern}\"", source_of(language)), f"{row[1]} is not in {language}"
