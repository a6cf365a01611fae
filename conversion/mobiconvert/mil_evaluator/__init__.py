"""Runs a saved Core ML program with torch, on any system: what no tool does off a Mac.

`load_mil_program` reads a package, `evaluate` runs it, `MilClassifier` does both for a network of images.
"""

from mobiconvert.mil_evaluator.classifier import MilClassifier
from mobiconvert.mil_evaluator.evaluate import evaluate
from mobiconvert.mil_evaluator.load import load_mil_program
from mobiconvert.mil_evaluator.program import MilProgram

__all__ = ["MilClassifier", "MilProgram", "evaluate", "load_mil_program"]
