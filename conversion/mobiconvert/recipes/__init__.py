"""Recipes: one string each for target × backend × precision, with what it needs and what it promises.

Recipes are data; the rooms `executorch` and `coreml` do what they say.
"""

from mobiconvert.recipes.find import RECIPES, find_recipe
from mobiconvert.recipes.recipe import Recipe

__all__ = ["RECIPES", "Recipe", "find_recipe"]
