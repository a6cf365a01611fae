"""torch module in, bundle out; and the artefact run on this computer. Importing this imports no torch."""

import importlib
from typing import TYPE_CHECKING, Any

from mobiconvert.recipes import RECIPES, Recipe, find_recipe

if TYPE_CHECKING:
    from mobiconvert.calibration import Calibration
    from mobiconvert.classifiers import load_classifier
    from mobiconvert.conversion import WeightsOrigin, convert

__all__ = [
    "RECIPES",
    "Calibration",
    "Recipe",
    "WeightsOrigin",
    "convert",
    "find_recipe",
    "load_classifier",
]

_HOMES = {
    "Calibration": "calibration",
    "WeightsOrigin": "conversion",
    "convert": "conversion",
    "load_classifier": "classifiers",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
