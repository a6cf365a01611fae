import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mobisdk.data import Dataset, ImageRef
from mobisdk.errors import ConfigError
from mobisdk.specs import InputSpec, ModelSpec
from mobisdk.training import TrainSpec
from mobisdk.training.plan import plan_from_dict, plan_training

WHOLE, RIM = InputSpec(64, 64), InputSpec(73, 64)


def make_dataset(count: int = 100, **known: Any) -> Dataset:
    images = tuple(ImageRef(str(index), index % 3, partial(bytes, index)) for index in range(count))
    return Dataset("pets", ("cat", "dog", "fish"), images, images, duplicates=0, **known)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("data", "", "digits"),
        ("epochs", 0, "1 to 10000"),
        ("epochs", 2.0, "1 to 10000"),
        ("batch_size", 1, "2 to 65536"),
        ("optimizer", "adam", "sgd, rmsprop, adamw"),
        ("schedule", "step", "one_cycle, cosine"),
        ("learning_rate", 0.0, "positive"),
        ("learning_rate", float("nan"), "0 to 100"),
        ("learning_rate", "0.1", "0 to 100"),
        ("warmup", 1.0, "0 to 0.9"),
        ("weight_decay", -1e-4, "0 to 1"),
        ("label_smoothing", 1.0, "0 to 0.9"),
        ("ema_decay", 1.0, "0 to 0.99999"),
        ("seed", -1, "0 to 2147483647"),
        ("seed", True, "0 to 2147483647"),
    ],
)
def test_spec_when_a_value_is_outside_then_config_error_says_what_is_allowed(
    field: str, value: object, allowed: str
) -> None:
    with pytest.raises(ConfigError, match=f"{field}.*{allowed}"):
        TrainSpec(ModelSpec(), **{field: value})


def test_plan_keeps_what_is_chosen() -> None:
    chosen = {
        "epochs": 7,
        "batch_size": 10,
        "optimizer": "adamw",
        "schedule": "cosine",
        "learning_rate": 0.25,
        "warmup": 0.1,
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
        "ema_decay": 0.5,
        "seed": 4,
        "skip_broken": True,
    }

    plan = plan_training(TrainSpec(ModelSpec(), **chosen), make_dataset(), WHOLE)  # type: ignore[arg-type]

    assert {field: getattr(plan, field) for field in chosen} == chosen


def test_plan_takes_classes_and_flips_from_the_data() -> None:
    spec = TrainSpec(ModelSpec(num_classes=1000))

    plan = plan_training(spec, make_dataset(flip=False, epochs=5), WHOLE)

    assert plan.model.num_classes == 3
    assert plan.epochs == 5
    assert not plan.flip
    assert plan_training(spec, make_dataset(), WHOLE).flip


def test_plan_regularizes_and_varies_less_the_narrower_the_network() -> None:
    quarter, full, double = (
        plan_training(TrainSpec(ModelSpec(alpha=alpha, resolution=64)), make_dataset(), WHOLE)
        for alpha in (0.25, 1.0, 2.0)
    )

    assert (quarter.weight_decay, quarter.label_smoothing, quarter.padding) == (1.25e-4, 0.025, 2)
    assert (full.weight_decay, full.label_smoothing, full.padding) == (5e-4, 0.1, 8)
    assert (double.weight_decay, double.label_smoothing, double.padding) == (5e-4, 0.1, 8)


def test_plan_pads_no_image_that_has_a_rim() -> None:
    assert plan_training(TrainSpec(ModelSpec(resolution=64)), make_dataset(), RIM).padding == 0


def test_plan_shows_few_images_more_often_and_averages_long_trainings_alone() -> None:
    few = plan_training(TrainSpec(ModelSpec()), make_dataset(500), WHOLE)
    many = plan_training(TrainSpec(ModelSpec()), make_dataset(12_000), WHOLE)

    assert (few.epochs, few.batch_size, few.ema_decay) == (80, 64, 0.0)  # 80 epochs of 7 steps
    assert (many.epochs, many.batch_size, many.ema_decay) == (24, 128, 0.99)


def test_plan_scales_the_learning_rate_with_the_batch() -> None:
    small, large = (
        plan_training(TrainSpec(ModelSpec(), batch_size=size), make_dataset(), WHOLE).learning_rate
        for size in (32, 256)
    )

    assert large == pytest.approx(8 * small)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adamw"])
def test_plan_trains_a_network_without_norms_more_slowly_and_says_why(optimizer: Any) -> None:
    usual, slow = (
        plan_training(TrainSpec(ModelSpec(arch), optimizer=optimizer), make_dataset(), WHOLE)
        for arch in ("mobilenet_v1", "squeezenet_1_1")
    )

    assert slow.learning_rate == pytest.approx(usual.learning_rate / 10)
    assert usual.rate_reason == f"{optimizer}'s usual one for batches of 64"
    assert slow.rate_reason == f"0.1 of {usual.rate_reason}: squeezenet_1_1 has no batch norm"


def test_plan_takes_the_chosen_rate_whatever_the_network_and_less_for_trained_weights() -> None:
    lenet = partial(plan_training, dataset=make_dataset(), view=WHOLE)
    chosen = lenet(TrainSpec(ModelSpec("lenet_5"), learning_rate=0.3))
    fresh, tuned = (lenet(TrainSpec(ModelSpec("lenet_5")), tuned=tuned) for tuned in (False, True))

    assert (chosen.learning_rate, chosen.rate_reason) == (0.3, "as chosen")
    assert tuned.learning_rate == pytest.approx(fresh.learning_rate / 10)
    assert tuned.rate_reason == f"{fresh.rate_reason}, times 0.1 to adapt trained weights"


def test_plan_names_the_data_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert plan_training(TrainSpec(ModelSpec(), data="pets"), make_dataset(), WHOLE).data == str(tmp_path / "pets")
    assert plan_training(TrainSpec(ModelSpec(), data="digits"), make_dataset(), WHOLE).data == "digits"


def test_plan_survives_json() -> None:
    plan = plan_training(TrainSpec(ModelSpec()), make_dataset(), RIM)

    assert plan_from_dict(json.loads(json.dumps(dataclasses.asdict(plan)))) == plan


@pytest.mark.parametrize("change", [{"unknown": 1}, {"model": None}, {"input": {"resize": 1}}])
def test_plan_when_a_key_is_wrong_then_config_error(change: dict[str, Any]) -> None:
    plan = dataclasses.asdict(plan_training(TrainSpec(ModelSpec()), make_dataset(), RIM))

    with pytest.raises(ConfigError):
        plan_from_dict({**plan, **change})
