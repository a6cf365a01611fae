"""Recipes by name."""

import difflib

from mobiconvert.recipes.android import ANDROID
from mobiconvert.recipes.ios import IOS
from mobiconvert.recipes.recipe import Recipe
from mobisdk.errors import ConfigError

RECIPES = ANDROID + IOS


def find_recipe(name: str | None, platform: str) -> Recipe:
    """Return the recipe of that name for that platform; without a name, the platform's first.

    Raises:
        ConfigError: the platform or the recipe is unknown, or the recipe is another platform's.
    """
    fitting = [recipe for recipe in RECIPES if recipe.platform == platform]
    allowed = ", ".join(recipe.name for recipe in fitting)
    if not fitting:
        platforms = sorted({recipe.platform for recipe in RECIPES})
        near = difflib.get_close_matches(platform, platforms, n=1, cutoff=0.3)
        raise ConfigError(
            "target is unknown",
            got=platform,
            allowed=", ".join(platforms),
            hint=f"Did you mean --target {near[0]}?" if near else None,
        )
    if name is None:
        return fitting[0]
    for recipe in RECIPES:
        if recipe.name != name:
            continue
        if recipe.platform != platform:
            raise ConfigError(
                f"recipe {name} is for {recipe.platform}, not for {platform}",
                allowed=allowed,
                hint=f"Use --target {recipe.platform}, or one of these",
            )
        return recipe
    near = difflib.get_close_matches(name, [recipe.name for recipe in fitting], n=1, cutoff=0.0)
    raise ConfigError("recipe is unknown", got=name, allowed=allowed, hint=f"Did you mean {near[0]}?" if near else None)
