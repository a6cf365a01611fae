"""Runs a saved Core ML program with torch, on any system: what no tool does off a Mac.

`describe_package` reads what a package says of itself, `load_mil_program` reads it to be run, `evaluate` runs it;
`MilClassifier` does both for a network of images.
"""

from mobiconvert.mil_evaluator.classifier import MilClassifier
from mobiconvert.mil_evaluator.describe import PackageReport, describe_package
from mobiconvert.mil_evaluator.evaluate import evaluate
from mobiconvert.mil_evaluator.load import load_mil_program
from mobiconvert.mil_evaluator.program import MilProgram

__all__ = ["MilClassifier", "MilProgram", "PackageReport", "describe_package", "evaluate", "load_mil_program"]
