"""Whole trainings of a supernet: the sandwich, what is measured of each width, and that resuming is exact."""

import copy
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from PIL import Image
from tests.sdk.greys import write_greys

from mobisdk.cli.resumed_settings import refuse_differences
from mobisdk.data import decode_images, open_dataset
from mobisdk.data.batches import Batch, normalize, resize
from mobisdk.errors import ConfigError, UnsupportedError
from mobisdk.latency.known_accuracy import read_accuracy_table
from mobisdk.models import create_model
from mobisdk.models.checkpoint import load_model, read_checkpoint_spec
from mobisdk.models.supernet import calibration_order, slice_network
from mobisdk.models.untrained import estimate_batch_norm_
from mobisdk.specs import InputSpec, ModelSpec, SupernetSpec
from mobisdk.training import TrainedRun, TrainProgress, TrainSpec, read_run, resume, train
from mobisdk.training.objective import cross_entropy
from mobisdk.training.sandwich import sandwich
from mobisdk.training.threads import cut_batch, part_threads, split_over_threads
from mobisdk.training.width_accuracy import list_alphas

pytestmark = pytest.mark.usefixtures("one_thread")
TINY = ModelSpec(alpha=0.2, resolution=32, num_classes=2)
SUPERNET = SupernetSpec((0.1, 0.2))


@pytest.fixture
def greys(tmp_path: Path) -> Path:
    """Twenty dark and twenty bright images of 40×40."""
    return write_greys(tmp_path / "greys", {"bright": 180, "dark": 20}, side=40)


def train_greys(greys: Path, runs: Path, *, on_progress: Any = None, **settings: Any) -> TrainedRun:
    usual = {"epochs": 3, "batch_size": 8, "ema_decay": 0.0, "supernet": SUPERNET}
    spec = TrainSpec(settings.pop("model", TINY), data=str(greys), **{**usual, **settings})
    return train(spec, runs=runs, name="greys", on_progress=on_progress)


def make_batch(resolution: int = 32) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(torch.randn(6, 3, resolution, resolution, generator=generator), torch.arange(6) % 2, torch.arange(6))


def test_sandwich_is_the_widest_ones_loss_and_two_narrower_ones_answers_to_it() -> None:
    torch.manual_seed(0)
    network, batch = create_model(TINY).train(), make_batch()
    supernet = SupernetSpec((0.1, 0.2), (32,))
    torch.manual_seed(7)

    loss = sandwich(TINY, supernet, cross_entropy(0.1))(network, batch)

    torch.manual_seed(7)
    between = 0.1 + 0.1 * int(torch.randint(1, 16, ())) / 16
    logits = network(batch.images)
    taught = logits.softmax(1).detach()
    expected = F.cross_entropy(logits, batch.labels, label_smoothing=0.1)
    for alpha in (0.1, between):
        narrow = slice_network(network, ModelSpec(alpha=alpha, resolution=32, num_classes=2), batch.images).train()
        expected = expected - (taught * narrow(batch.images).log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)


def test_sandwich_at_several_resolutions_shows_the_widest_the_largest_and_the_others_any() -> None:
    spec = ModelSpec(alpha=0.2, resolution=48, num_classes=2)
    network, batch = create_model(spec).train(), make_batch(48)
    widest_saw: list[int] = []
    network.stem.register_forward_pre_hook(lambda _, inputs: widest_saw.append(inputs[0].shape[-1]))
    objective = sandwich(spec, SupernetSpec((0.1, 0.2), (32, 48)), cross_entropy(0.0))

    losses = set()
    for seed in range(12):
        torch.manual_seed(seed)
        losses.add(round(objective(network, batch).item(), 4))

    assert set(widest_saw) == {48}
    assert len(losses) > 3  # widths and resolutions are drawn anew


def test_sandwich_in_threads_is_the_mean_of_its_parts_at_the_same_widths() -> None:
    torch.manual_seed(0)
    network, batch = create_model(TINY).train(), make_batch()
    supernet = SupernetSpec((0.1, 0.2), (32,))
    alone = sandwich(TINY, supernet, cross_entropy(0.1))
    apart = copy.deepcopy(network)
    losses = []
    for piece in cut_batch(batch, 2):
        torch.manual_seed(5)
        losses.append(alone(apart, piece))
    mean = (losses[0] + losses[1]) / 2
    expected = torch.autograd.grad(mean, list(apart.parameters()))

    with part_threads(2) as threads:
        together = split_over_threads(sandwich(TINY, supernet, cross_entropy(0.1), parts=2), network, threads)
        torch.manual_seed(5)
        loss = together(network, batch)
        found = torch.autograd.grad(loss, list(network.parameters()))

    torch.testing.assert_close(loss, mean)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_sandwich_when_the_network_has_an_auxiliary_head_then_it_learns_too() -> None:
    spec = ModelSpec("inception_v3", 0.1, 75, num_classes=2)
    torch.manual_seed(0)
    network, batch = create_model(spec).train(), make_batch(75)

    sandwich(spec, SupernetSpec((0.05, 0.1), (75,)), cross_entropy(0.0))(network, batch).backward()

    assert network.auxiliary_classifier.weight.grad.any()
    assert network.classifier.weight.grad.any()


def test_train_supernet_keeps_a_plain_checkpoint_of_the_widest_and_measures_each_width(
    greys: Path, tmp_path: Path
) -> None:
    run = train_greys(greys, tmp_path / "runs")

    checkpoint = read_checkpoint_spec(run.checkpoint)
    assert checkpoint.model == TINY
    assert checkpoint.supernet == SupernetSpec((0.1, 0.2), (32,))
    assert [(line["alpha"], line["resolution"]) for line in run.widths] == [(0.2, 32), (0.1, 32)]
    assert run.widths[0]["correct"] == run.correct
    assert len(read_run(run.folder).metrics) == 3
    known = read_accuracy_table(run.folder / "widths.csv")
    assert [(each.spec.alpha, each.spec.resolution) for each in known] == [(0.1, 32), (0.2, 32)]
    assert [each.share for each in known] == [line["accuracy"] for line in reversed(run.widths)]
    refuse_differences(read_run(run.folder), {}, {"supernet": SUPERNET})
    with pytest.raises(ConfigError, match=r"supernet's resolutions is \(32,\), not \(32, 48\)"):
        refuse_differences(read_run(run.folder), {}, {"supernet": SupernetSpec((0.1, 0.2), (32, 48))})
    # The narrow one's figure, from the file, with statistics of the same images and a count of its own.
    dataset = open_dataset(str(greys))
    images = decode_images(dataset.train, checkpoint.input, cache=tmp_path).pixels[calibration_order(32, 32)]
    calibration = normalize(torch.from_numpy(images), checkpoint.input)
    narrow = slice_network(
        load_model(run.checkpoint)[1], ModelSpec(alpha=0.1, resolution=32, num_classes=2), calibration
    )
    test = decode_images(dataset.test, checkpoint.input, cache=tmp_path)
    with torch.no_grad():
        found = narrow(normalize(torch.from_numpy(test.pixels), checkpoint.input)).argmax(1)
    assert int((found == torch.from_numpy(test.labels)).sum()) == run.widths[1]["correct"]


def test_resume_of_a_supernet_gives_the_weights_of_an_uninterrupted_run(greys: Path, tmp_path: Path) -> None:
    supernet = SupernetSpec((0.1, 0.2), (32, 40))
    model = ModelSpec(alpha=0.2, resolution=40, num_classes=2)
    whole = train_greys(greys, tmp_path / "whole", model=model, supernet=supernet)

    def stop(now: TrainProgress) -> None:
        if (now.epoch, now.step) == (2, 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_greys(greys, tmp_path / "cut", model=model, supernet=supernet, on_progress=stop)
    resumed = resume(tmp_path / "cut" / "greys")

    before, after = (safetensors.torch.load_file(run.checkpoint) for run in (whole, resumed))
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]), name
    assert [(line["alpha"], line["resolution"]) for line in resumed.widths] == list(
        itertools.product((0.2, 0.1), (40,))
    ) + list(itertools.product((0.2, 0.1), (32,)))


@pytest.mark.parametrize(
    ("settings", "error", "complaint"),
    [
        ({"model": ModelSpec("factorized", 0.5, 32)}, UnsupportedError, "depends on its values"),
        ({"model": ModelSpec("deep_fried", 0.2, 32)}, UnsupportedError, "FastfoodLinear"),
        ({"model": ModelSpec(alpha=0.3, resolution=32)}, ConfigError, "a supernet's alpha is its largest"),
        ({"supernet": SupernetSpec((0.1, 0.2), (48,))}, ConfigError, "a supernet's resolution is its largest"),
        ({"supernet": SupernetSpec((0.001, 0.2))}, ConfigError, "without a channel"),
    ],
)
def test_train_when_a_supernet_cannot_be_then_nothing_is_written(
    greys: Path, tmp_path: Path, settings: dict[str, Any], error: type[Exception], complaint: str
) -> None:
    model = settings.get("model", TINY)
    supernet = SupernetSpec((model.alpha / 2, model.alpha)) if model.arch != "mobilenet_v1" else SUPERNET

    with pytest.raises(error, match=complaint):
        train_greys(greys, tmp_path / "runs", **{"supernet": supernet, **settings})
    assert not (tmp_path / "runs").exists()


def test_list_alphas_are_the_ends_and_the_quarters_between() -> None:
    assert list_alphas(SupernetSpec((0.25, 1.0))) == [0.25, 0.5, 0.75, 1.0]
    assert list_alphas(SupernetSpec((0.3, 0.7))) == [0.3, 0.5, 0.7]
    assert list_alphas(SupernetSpec((0.05, 0.2))) == [0.05, 0.2]


def test_statistics_of_a_slice_are_those_of_its_images(greys: Path) -> None:
    """A narrow network keeps none of the wide one's statistics: they would be of other sums."""
    torch.manual_seed(0)
    wide, images = create_model(TINY), make_batch().images

    narrow = slice_network(wide, ModelSpec(alpha=0.1, resolution=32, num_classes=2), images)

    first = F.conv2d(images, wide.stem.conv.weight[:3], stride=2, padding=1)
    torch.testing.assert_close(narrow.stem.norm.running_mean, first.mean((0, 2, 3)))
    torch.testing.assert_close(narrow.stem.norm.running_var, first.var((0, 2, 3)))
    estimate_batch_norm_(wide, images)
    assert not torch.allclose(
        narrow.blocks[0].pointwise.norm.running_mean, wide.blocks[0].pointwise.norm.running_mean[:6]
    )


def test_resize_is_the_photograph_at_another_resolution() -> None:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 48, 48, 3), np.uint8))
    view = InputSpec(48, 48)

    smaller = resize(normalize(pixels, view), 32)

    resized = Image.fromarray(pixels[0].numpy()).resize((32, 32), Image.Resampling.BILINEAR)
    expected = normalize(torch.from_numpy(np.array(resized))[None], view)
    torch.testing.assert_close(smaller, expected, atol=1.5 / 127.5, rtol=0)
