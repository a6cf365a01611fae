"""Each architecture learns at the rate that is chosen for it."""

import math
from pathlib import Path

import pytest

from mobisdk.data import Dataset, DecodedImages, decode_images, open_dataset
from mobisdk.data.view import choose_input
from mobisdk.models import list_models
from mobisdk.models.registry import find_architecture
from mobisdk.specs import InputSpec, ModelSpec
from mobisdk.training import TrainSpec
from mobisdk.training.fitting import fit
from mobisdk.training.plan import plan_training

pytestmark = pytest.mark.usefixtures("one_thread")
LEAST = {"inception_v3": 39}
"""Of those that take no 32×32 with a stem's stride of 1."""
Digits = tuple[Dataset, InputSpec, DecodedImages]


def open_digits(resolution: int, count: int, cache: Path) -> Digits:
    dataset = open_dataset("digits")
    view = choose_input(dataset, resolution)
    return dataset, view, decode_images(dataset.train[:count], view, cache=cache)


@pytest.mark.parametrize("arch", list_models())
def test_every_architecture_learns_at_its_own_rate(arch: str, tmp_path: Path) -> None:
    model = ModelSpec(arch, alpha=0.25, resolution=LEAST.get(arch, 32), stem_stride=1)
    dataset, view, images = open_digits(model.resolution, 128, tmp_path)
    epochs = 16 if find_architecture(arch).rate_reason else 4  # the slower ones need more
    plan = plan_training(TrainSpec(model, epochs=epochs, batch_size=16), dataset, view)

    metrics = fit(tmp_path, plan, dataset.classes, images, images, None)

    losses = [epoch["loss"] for epoch in metrics]
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0]
    assert losses[-1] < 0.995 * math.log(10)  # where a network without a gradient stays
