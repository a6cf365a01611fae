import dataclasses

import pytest

from mobisdk.data import Dataset, ImageRef
from mobisdk.errors import ConfigError
from mobisdk.specs import InputSpec, ModelSpec
from mobisdk.training import TrainSpec
from mobisdk.training.budget import Pace, fit_epochs
from mobisdk.training.plan import TrainingPlan, plan_training


def make_plan(**settings: object) -> TrainingPlan:
    images = tuple(ImageRef(str(index), index % 2, lambda: b"") for index in range(100))
    dataset = Dataset("pets", ("cat", "dog"), images, images, duplicates=0)
    spec = TrainSpec(ModelSpec(resolution=32), **settings)  # type: ignore[arg-type]
    return plan_training(spec, dataset, InputSpec(32, 32))


def test_epochs_are_as_many_as_end_in_time() -> None:
    plan = fit_epochs(make_plan(), Pace(full_epoch=10.0, small_epoch=10.0, test=1.0), 100.0)

    # Two seconds to start, and 1.06 · 11 an epoch: eight are 95.3 s, nine would be 106.9.
    assert (plan.epochs, plan.small_epochs, plan.seconds) == (8, 0, 100.0)


def test_small_epochs_of_a_preset_make_room_for_more() -> None:
    plan = fit_epochs(make_plan(preset="fast"), Pace(full_epoch=10.0, small_epoch=5.0, test=1.0), 100.0)

    # Five small and six full epochs are 1.06 · 96 s: too long; four and six are 1.06 · 90 s.
    assert (plan.epochs, plan.small_epochs) == (10, 4)
    assert plan.small_resolution == 24


def test_budget_when_it_is_too_short_for_one_epoch_then_config_error_says_what_would_fit() -> None:
    with pytest.raises(ConfigError, match=r"too short for one epoch: 8 s.*14 s or more.*--budget"):
        fit_epochs(make_plan(), Pace(full_epoch=10.0, small_epoch=10.0, test=1.0), 8.0)


def test_budget_and_epochs_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="follow from the budget"):
        TrainSpec(ModelSpec(), epochs=3, budget_seconds=60.0)


def test_presets_choose_what_the_user_leaves_open() -> None:
    paper, strong = make_plan(preset="paper"), make_plan(preset="strong", optimizer="adamw")

    assert (paper.optimizer, paper.schedule, paper.label_smoothing, paper.mixup) == ("rmsprop", "exponential", 0.0, 0.0)
    assert (strong.optimizer, strong.schedule) == ("adamw", "cosine")
    assert strong.mixup > 0
    assert strong.random_augment > 0
    assert strong.epochs == 3 * make_plan().epochs
    assert dataclasses.replace(make_plan(preset="fast", epochs=100)).small_epochs == 47
