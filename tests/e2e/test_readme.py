"""README names what exists, and nothing else."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mobiconvert.recipes import RECIPES
from mobisdk.cli.app import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"^\$ mobisdk (.+)$", README, re.MULTILINE)))


@pytest.mark.parametrize("command", COMMANDS)
def test_command_in_readme_exists_with_its_options(command: str) -> None:
    words = command.split()
    name = words[:2] if words[0] in ("models", "runs") else words[:1]
    done = CliRunner().invoke(app, [*name, "--help"])
    assert done.exit_code == 0
    for option in re.findall(r"--[a-z-]+", command):
        assert option in done.stdout


def test_every_command_is_in_readme() -> None:
    names = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    groups = [str(group.name) for group in app.registered_groups]
    assert len(names) > 5
    for name in [*names, *groups]:
        assert any(command.split()[0] == name for command in COMMANDS), name


def test_recipes_in_readme_are_those_of_the_code() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in README.splitlines() if line.startswith("| `")
    ]
    assert rows == [
        [f"`{recipe.name}`", recipe.platform, recipe.backend, recipe.needs, recipe.promise] for recipe in RECIPES
    ]


def test_links_in_readme_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("https://")]
    assert len(links) > 3
    for link in links:
        assert (ROOT / link).exists(), link
