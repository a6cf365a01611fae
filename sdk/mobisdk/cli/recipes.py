"""`mobisdk export --list-recipes`."""

from mobisdk.cli.console import print_json, stdout


def print_recipes(as_json: bool) -> None:
    """Show every recipe with its target, smallest OS, what it needs, and what it promises."""
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
    for column in ("target", "from", "needs", "promise"):
        table.add_column(column)
    for recipe in RECIPES:
        table.add_row(
            recipe.name, recipe.platform, describe_min_os(recipe.platform, recipe.min_os), recipe.needs, recipe.promise
        )
    stdout().print(table)


def describe_min_os(platform: str, min_os: str) -> str:
    """`API 23`, `iOS 16.0`."""
    return f"API {min_os}" if platform == "android" else f"iOS {min_os}"
