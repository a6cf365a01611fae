"""`mobisdk export --list-recipes`."""

from typing import TYPE_CHECKING

from mobisdk.cli.console import print_json, stdout

if TYPE_CHECKING:
    from mobiconvert import Recipe

COLUMNS = ("recipe", "from", "needs", "library MB", "promise")


def print_recipes(as_json: bool) -> None:
    """Show every recipe with its smallest OS, what it needs, what its runtime adds to an app, and its promise."""
    from mobiconvert import RECIPES

    if as_json:
        print_json(
            [
                {
                    "recipe": recipe.name,
                    "target": recipe.platform,
                    "runtime": recipe.runtime,
                    "backend": recipe.backend,
                    "precision": recipe.precision,
                    "lossy": recipe.is_lossy,
                    "min_os": recipe.min_os,
                    "needs": recipe.needs,
                    "runtime_bytes": recipe.runtime_library.size_bytes,
                    "runtime_bytes_source": recipe.runtime_library.source,
                    "promise": recipe.promise,
                }
                for recipe in RECIPES
            ]
        )
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("recipe", no_wrap=True)
    for column in COLUMNS[1:]:
        table.add_column(column)
    for recipe in RECIPES:
        table.add_row(*describe_recipe(recipe))
    stdout().print(table)


def describe_recipe(recipe: "Recipe") -> tuple[str, ...]:
    """One row of the table here and in README."""
    size = recipe.runtime_library.size_bytes
    return (
        recipe.name,
        describe_min_os(recipe.platform, recipe.min_os),
        recipe.needs,
        "unknown" if size is None else f"{size / 1e6:.1f}",
        recipe.promise,
    )


def describe_min_os(platform: str, min_os: str) -> str:
    """`API 23`, `iOS 16.0`."""
    return f"API {min_os}" if platform == "android" else f"iOS {min_os}"
