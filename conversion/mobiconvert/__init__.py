"""torch module in, bundle out; and the artefact run on this computer."""

from mobiconvert.classifiers import load_classifier
from mobiconvert.conversion import WeightsOrigin, convert
from mobiconvert.recipes import RECIPES, Recipe, find_recipe

__all__ = ["RECIPES", "Recipe", "WeightsOrigin", "convert", "find_recipe", "load_classifier"]
