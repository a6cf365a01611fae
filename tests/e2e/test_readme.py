"""README names what exists, and nothing else."""

import importlib.metadata
import itertools
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mobiconvert.recipes import RECIPES
from mobisdk.cli.app import app
from mobisdk.cli.recipes import COLUMNS, describe_recipe

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"^\$ mobisdk (.+)$", README, re.MULTILINE)))


@pytest.mark.parametrize("command", COMMANDS)
def test_command_in_readme_exists_with_its_options(command: str) -> None:
    words = command.split()
    groups = {group.name for group in app.registered_groups}
    name = words[:2] if words[0] in groups and words[1][0].isalpha() else words[:1]
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


def test_recipes_in_readme_are_those_that_export_lists() -> None:
    lines = README.splitlines()
    start = lines.index("| " + " | ".join(COLUMNS) + " |")
    rows = [
        tuple(cell.strip().strip("`") for cell in line.strip("|").split("|"))
        for line in itertools.takewhile(lambda line: line.startswith("|"), lines[start + 2 :])
    ]
    assert rows == [describe_recipe(recipe) for recipe in RECIPES]


def test_recipes_need_the_executorch_that_exports_them() -> None:
    version = importlib.metadata.version("executorch")
    for recipe in RECIPES:
        assert (f" {version}" in recipe.needs) == (recipe.runtime == "executorch"), recipe.name


def test_list_recipes_prints_every_row_and_where_its_figures_come_from() -> None:
    done = CliRunner().invoke(app, ["export", "--list-recipes", "--json"])
    listed = json.loads(done.stdout)
    assert [(entry["recipe"], entry["needs"], entry["promise"]) for entry in listed] == [
        (recipe.name, recipe.needs, recipe.promise) for recipe in RECIPES
    ]
    assert all(entry["runtime_bytes_source"] for entry in listed)


def test_links_in_readme_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("https://")]
    assert len(links) > 3
    for link in links:
        assert (ROOT / link).exists(), link
