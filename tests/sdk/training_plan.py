"""A training's plan whose values a test cares for are its own."""

from typing import Any

from mobisdk.specs import InputSpec, ModelSpec
from mobisdk.training.plan import TrainingPlan


def make_plan(**changes: Any) -> TrainingPlan:
    """One epoch of SGD on digits, but for `changes`."""
    usual = {
        "model": ModelSpec(resolution=32, num_classes=2),
        "input": InputSpec(32, 32),
        "data": "digits",
        "epochs": 1,
        "batch_size": 2,
        "optimizer": "sgd",
        "schedule": "one_cycle",
        "learning_rate": 0.1,
        "warmup": 0.3,
        "weight_decay": 0.5,
        "label_smoothing": 0.0,
        "padding": 0,
        "flip": False,
        "ema_decay": 0.0,
        "seed": 0,
        "skip_broken": False,
    }
    return TrainingPlan(**{**usual, **changes})
