"""How many epochs fit into a given time, from a few steps that are measured before the training starts."""

import copy
import statistics
import time
from dataclasses import dataclass, replace

import torch
from torch import nn

from mobisdk.data import DecodedImages
from mobisdk.data.batches import HeldOutBatches, TrainingImages
from mobisdk.errors import ConfigError
from mobisdk.models import create_model
from mobisdk.training.batching import cut_batches
from mobisdk.training.fast_convolutions import sped_up_convolutions
from mobisdk.training.objective import Objective, cross_entropy
from mobisdk.training.optimization import build_optimizer
from mobisdk.training.plan import TrainingPlan, small_epochs
from mobisdk.training.threads import Threads, answer_in_threads, count_parts, part_threads, split_over_threads

_WARM_UP, _STEPS = 2, 5
_MARGIN = 1.06
"""What Lightning, averages and files take beside a step's own time."""
_START_SECONDS = 2.0
"""Of building the network and the trainer."""


@dataclass(frozen=True)
class Pace:
    """Seconds."""

    full_epoch: float
    small_epoch: float
    """At the plan's `small_resolution`."""
    test: float


def measure_pace(
    plan: TrainingPlan,
    train: TrainingImages,
    test: DecodedImages,
    network: nn.Module | None,
    objective: Objective | None,
) -> Pace:
    """Train a copy of the network for a few steps, and test it on a few batches."""
    with torch.random.fork_rng(devices=()):
        copied = create_model(plan.model) if network is None else copy.deepcopy(network)
        copied.to(plan.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        objective = objective or cross_entropy(plan.label_smoothing)
        with sped_up_convolutions(copied), part_threads(count_parts(copied, plan, 1)) as threads:
            objective = split_over_threads(objective, copied, threads)
            full = _measure_epoch(copied, objective, plan, train, plan.input.crop)
            small = (
                _measure_epoch(copied, objective, plan, train, plan.small_resolution) if plan.small_resolution else full
            )
            return Pace(full, small, _measure_test(copied, plan, test, threads))


def fit_epochs(plan: TrainingPlan, pace: Pace, seconds: float) -> TrainingPlan:
    """The plan with as many epochs as `seconds` allow.

    Raises:
        ConfigError: not even one fits.
    """

    def count_small(epochs: int) -> int:
        return small_epochs(plan.preset, epochs) if plan.small_resolution else 0

    def estimate(epochs: int) -> float:
        small = count_small(epochs)
        spent = small * pace.small_epoch + (epochs - small) * pace.full_epoch + epochs * pace.test
        return _START_SECONDS + _MARGIN * spent

    if estimate(1) > seconds:
        raise ConfigError(
            f"the budget is too short for one epoch: {max(0.0, seconds):.0f} s are left to train in",
            allowed=f"{estimate(1):.0f} s or more after the images are decoded",
            hint="Give a longer --budget, a lower --resolution or a smaller --alpha",
        )
    epochs = 1
    while estimate(epochs + 1) <= seconds:
        epochs += 1
    return replace(plan, epochs=epochs, small_epochs=count_small(epochs), seconds=seconds)


def _measure_epoch(
    network: nn.Module, objective: Objective, plan: TrainingPlan, train: TrainingImages, resolution: int
) -> float:
    batches = cut_batches(plan, train, resolution=resolution)
    optimizer = build_optimizer(network, plan)
    seconds: list[float] = []
    while len(seconds) < _WARM_UP + _STEPS:
        started = time.perf_counter()
        for batch in batches:
            with torch.autocast(plan.device, torch.bfloat16, enabled=plan.precision == "bfloat16"):
                loss = objective(network, batch)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            float(loss.detach())  # waits for a GPU
            seconds.append(time.perf_counter() - started)
            if len(seconds) == _WARM_UP + _STEPS:
                break
            started = time.perf_counter()
        batches.load_state_dict({"given": 0})
    return statistics.median(seconds[_WARM_UP:]) * len(batches)


def _measure_test(network: nn.Module, plan: TrainingPlan, test: DecodedImages, threads: Threads | None) -> float:
    batches = HeldOutBatches(test, plan.input, batch_size=plan.batch_size, device=plan.device)
    network.eval()
    seconds = []
    for batch, _ in zip(batches, range(_WARM_UP + 1), strict=False):
        started = time.perf_counter()
        float(answer_in_threads(network, batch.images, threads).sum())
        seconds.append(time.perf_counter() - started)
    return min(seconds) * len(batches)
