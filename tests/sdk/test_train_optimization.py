"""Parameter groups, learning rates and averages, against hand-made lists, torch's schedules and worked cases."""

import pytest
import torch
from tests.sdk.training_plan import make_plan
from torch import nn, optim

from mobisdk.models import create_model
from mobisdk.specs import ModelSpec
from mobisdk.training.averaging import average_weights
from mobisdk.training.course import Course
from mobisdk.training.optimization import build_optimizer, build_schedule, parameter_groups
from mobisdk.training.schedule import learning_rate_factor


def test_weight_decay_is_for_full_and_pointwise_filters_and_the_classifier_alone() -> None:
    model = create_model(ModelSpec(arch="mobilenet_v1_shallow", alpha=0.25, resolution=32, num_classes=4))
    blocks = range(8)
    decayed = ["stem.conv.weight", *(f"blocks.{block}.pointwise.conv.weight" for block in blocks), "classifier.weight"]
    free = ["stem.norm.weight", "stem.norm.bias", "classifier.bias"]
    for block in blocks:
        free += [f"blocks.{block}.depthwise.conv.weight"]
        free += [
            f"blocks.{block}.{part}.norm.{kind}" for part in ("depthwise", "pointwise") for kind in ("weight", "bias")
        ]
    names = {id(parameter): name for name, parameter in model.named_parameters()}

    with_decay, without = parameter_groups(model, 0.25)

    assert sorted(names[id(parameter)] for parameter in with_decay["params"]) == sorted(decayed)
    assert sorted(names[id(parameter)] for parameter in without["params"]) == sorted(free)
    assert (with_decay["weight_decay"], without["weight_decay"]) == (0.25, 0.0)


def test_weight_decay_is_for_grouped_convolutions_that_mix_channels() -> None:
    model = nn.Sequential(nn.Conv2d(8, 8, 3, groups=4, bias=False), nn.Conv2d(8, 16, 3, groups=8, bias=False))

    with_decay, without = parameter_groups(model, 0.25)

    assert with_decay["params"] == [model[0].weight]
    assert without["params"] == [model[1].weight]  # two filters a channel are depthwise as well


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # The gradient is 3 at weight 2; weight decay 0.5 adds 1. Nesterov's first step is (1 + 0.9) times the gradient.
        ("sgd", 2 - 0.1 * 1.9 * 4),
        # The mean square is 0.1 · 4² = 1.6, its root 1.264911, and epsilon 0.001; momentum begins at 0.
        ("rmsprop", 2 - 0.1 * 4 / (1.6**0.5 + 1e-3)),
        # Decoupled decay takes 0.1 · 0.5 · 2; Adam's first step is the learning rate.
        ("adamw", 2 - 0.1 - 0.1),
    ],
)
def test_optimizer_steps_as_worked_by_hand(name: str, expected: float) -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    optimizer = build_optimizer(model, make_plan(optimizer=name))

    (3 * model.weight).sum().backward()
    optimizer.step()

    assert float(model.weight.detach()) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("steps", "warmup"), [(40, 0.3), (352, 0.2), (7, 0.5)])
def test_one_cycle_is_torchs(steps: int, warmup: float) -> None:
    optimizer = optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    theirs = optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=steps, pct_start=warmup, cycle_momentum=False
    )
    for step in range(steps):
        assert learning_rate_factor("one_cycle", step, steps, warmup) == pytest.approx(
            theirs.get_last_lr()[0], rel=1e-9
        )
        optimizer.step()
        if step < steps - 1:
            theirs.step()


def test_cosine_as_worked_by_hand() -> None:
    factors = [learning_rate_factor("cosine", step, 8, 0.25) for step in range(8)]

    # Two steps rise along a line; six fall along (1 + cos)/2 of 0°, 30°, 60°, 90°, 120° and 150°.
    assert factors == pytest.approx([0.5, 1.0, 1.0, 0.9330127, 0.75, 0.5, 0.25, 0.0669873])


def test_schedules_without_warmup_start_near_the_top() -> None:
    assert learning_rate_factor("cosine", 0, 10, 0.0) == 1.0
    assert 0.9 < learning_rate_factor("one_cycle", 0, 10, 0.0) <= 1.0


def test_build_schedule_moves_every_group() -> None:
    optimizer = build_optimizer(create_model(ModelSpec(alpha=0.25, num_classes=2)), make_plan(schedule="cosine"))
    schedule = build_schedule(optimizer, make_plan(schedule="cosine", warmup=0.5), Course(4))

    seen: list[float] = []
    for _ in range(4):
        seen += [group["lr"] for group in optimizer.param_groups]
        optimizer.step()
        schedule.step()

    assert seen == pytest.approx([0.05, 0.05, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])


def test_average_as_worked_by_hand() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    average = average_weights(model, decay=0.25)
    values = []
    for value in (1.0, 2.0, 4.0, 8.0):
        nn.init.constant_(model[0].weight, value)
        model[1].running_mean.fill_(10 * value)
        model[1].num_batches_tracked += 1
        average.update_parameters(model)
        values.append(float(average.module[0].weight.detach()))

    # The first update copies; the next decays are (1 + n)/(10 + n): 2/11, 3/12 = 0.25, and then no more than 0.25.
    second = 2 / 11 * 1 + 9 / 11 * 2
    third = 0.25 * second + 0.75 * 4
    assert values == pytest.approx([1.0, second, third, 0.25 * third + 0.75 * 8])
    assert float(average.module[1].running_mean) == pytest.approx(10 * values[-1])
    assert int(average.module[1].num_batches_tracked) == 4
