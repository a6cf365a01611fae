"""Trainings that start from a network with weights: their own objective, compressed weights, another data set."""

import dataclasses
from pathlib import Path

import pytest
import torch
from tests.sdk.greys import write_greys
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mobisdk.data.batches import Batch
from mobisdk.errors import ConfigError
from mobisdk.models import create_model
from mobisdk.models.checkpoint import Checkpoint, load_checkpoint, load_model
from mobisdk.specs import InputSpec, ModelSpec
from mobisdk.training import TrainProgress, TrainSpec, fine_tune, read_run, resume

pytestmark = pytest.mark.usefixtures("one_thread")
TINY = ModelSpec(alpha=0.1, resolution=32, num_classes=2)
GREYS = Checkpoint(TINY, InputSpec(32, 32), ("bright", "dark"), origin={"run": "first"})
HALVED = dataclasses.replace(GREYS, compression=({"technique": "halving"},))


def make_network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return create_model(TINY)


def spec_for(data: Path, **settings: int) -> TrainSpec:
    return TrainSpec(TINY, data=str(data), **{"epochs": 2, "batch_size": 8, **settings})  # type: ignore[arg-type]


class Halved(nn.Module):
    """A parametrization whose original is twice the weight."""

    def forward(self, original: Tensor) -> Tensor:
        return original / 2

    def right_inverse(self, weight: Tensor) -> Tensor:
        return 2 * weight


def test_fine_tune_trains_the_given_network_and_keeps_what_was_done_to_it(greys: Path, tmp_path: Path) -> None:
    network = make_network()
    first = network.classifier.weight.detach().clone()  # type: ignore[union-attr,operator]

    run = fine_tune(network, HALVED, spec_for(greys), runs=tmp_path / "runs", name="tuned")

    checkpoint, state = load_checkpoint(run.checkpoint)
    assert checkpoint.compression == HALVED.compression
    assert not torch.equal(state["classifier.weight"], first)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[name])
    assert not network.training
    assert read_run(run.folder).plan.learning_rate == pytest.approx(0.2 * 8 / 128 / 10)
    start = read_run(run.folder).start
    assert start == {"origin": {"run": "first"}, "compression": [{"technique": "halving"}], "head": "kept"}


def test_fine_tune_when_the_classes_are_others_then_the_head_begins_anew(tmp_path: Path) -> None:
    data = write_greys(tmp_path / "three", {"black": 0, "grey": 100, "white": 200})

    run = fine_tune(make_network(), GREYS, spec_for(data, epochs=1), runs=tmp_path / "runs")

    checkpoint, loaded = load_model(run.checkpoint)
    assert (checkpoint.labels, checkpoint.model.num_classes) == (("black", "grey", "white"), 3)
    assert loaded.classifier.out_features == 3  # type: ignore[union-attr]
    assert read_run(run.folder).start["head"] == "new"  # type: ignore[index]


def test_fine_tune_minimizes_the_objective_that_it_is_given(greys: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def norm_of_the_classifier(network: nn.Module, batch: Batch) -> Tensor:
        seen.append(len(batch.images))
        return network.classifier.weight.square().sum()  # type: ignore[union-attr,operator,return-value]

    network = make_network()
    before = float(network.classifier.weight.detach().norm())  # type: ignore[union-attr,operator]

    fine_tune(network, GREYS, spec_for(greys), runs=tmp_path / "runs", objective=norm_of_the_classifier)

    assert seen == [8] * 8
    assert float(network.classifier.weight.detach().norm()) < before  # type: ignore[union-attr,operator]


def test_fine_tune_trains_the_originals_of_parametrized_weights(greys: Path, tmp_path: Path) -> None:
    network = make_network()
    convolution = network.get_submodule("blocks.3.pointwise.conv")
    parametrize.register_parametrization(convolution, "weight", Halved())
    original = convolution.parametrizations.weight.original.detach().clone()  # type: ignore[union-attr]

    fine_tune(network, GREYS, spec_for(greys, epochs=1), runs=tmp_path / "runs")

    trained = convolution.parametrizations.weight.original.detach()  # type: ignore[union-attr]
    assert not torch.equal(trained, original)
    assert torch.equal(convolution.weight, trained / 2)  # type: ignore[arg-type]


def test_resume_of_a_fine_tuning_goes_on_from_its_start_bit_for_bit(greys: Path, tmp_path: Path) -> None:
    def stop(now: TrainProgress) -> None:
        if now.epoch == epoch and now.step == 2:
            raise KeyboardInterrupt

    straight = fine_tune(make_network(), GREYS, spec_for(greys), runs=tmp_path / "straight", name="tuned")
    for epoch in (1, 2):
        runs = tmp_path / f"stopped-{epoch}"
        with pytest.raises(KeyboardInterrupt):
            fine_tune(make_network(), GREYS, spec_for(greys), runs=runs, name="tuned", on_progress=stop)

        resumed = resume(runs / "tuned")

        assert resumed.checkpoint.read_bytes() == straight.checkpoint.read_bytes()


def test_fine_tune_when_frozen_then_the_classifier_alone_learns(greys: Path, tmp_path: Path) -> None:
    network = make_network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    fine_tune(network, GREYS, spec_for(greys, freeze=True), runs=tmp_path / "runs")

    after = network.state_dict()
    assert {name for name in after if not torch.equal(after[name], before[name])} == {
        "classifier.weight",
        "classifier.bias",
    }


def test_a_budget_ends_in_time_with_a_finished_schedule(greys: Path, tmp_path: Path) -> None:
    spec = TrainSpec(TINY, data=str(greys), batch_size=8, budget_seconds=8.0)

    run = fine_tune(make_network(), GREYS, spec, runs=tmp_path / "runs")

    last = read_run(run.folder).metrics[-1]
    assert run.epochs == last["epoch"] >= 1
    assert last["learning_rate"] < 1e-3 * read_run(run.folder).plan.learning_rate
    assert run.seconds < 8


def test_fine_tune_when_the_network_is_another_then_config_error(greys: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot change the network.*alpha=0\.5.*alpha=0\.1"):
        fine_tune(make_network(), GREYS, TrainSpec(ModelSpec(alpha=0.5), data=str(greys)), runs=tmp_path)
