"""Batches that are varied beyond crops: mixed, transformed, shrunk."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mobisdk.data import DecodedImages
from mobisdk.data.batches import Augmentation, Batch, TrainingBatches
from mobisdk.data.random_augment import random_augment
from mobisdk.specs import InputSpec
from mobisdk.training.objective import balance_classes, cross_entropy

SPEC = InputSpec(8, 8)


def make_images(count: int = 12) -> DecodedImages:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8)
    return DecodedImages(pixels, np.arange(count), tuple(map(str, range(count))), ())


def cut(**changes: object) -> list[Batch]:
    settings = {"batch_size": 4, "seed": 0, "augmentation": Augmentation(0, flip=False), **changes}
    return list(TrainingBatches(make_images(), SPEC, **settings))  # type: ignore[arg-type]


def test_mixup_mixes_images_as_it_says_and_the_first_label_is_the_larger_part() -> None:
    plain, mixed = cut(), cut(augmentation=Augmentation(0, flip=False, mixup=0.4))

    for before, after in zip(plain, mixed, strict=True):
        assert 0.5 <= after.share <= 1
        position = {int(label): index for index, label in enumerate(before.labels)}
        assert after.mixed_labels is not None
        partners = before.images[[position[int(label)] for label in after.mixed_labels]]
        wanted = after.share * before.images + (1 - after.share) * partners
        assert torch.allclose(after.images, wanted, atol=1e-6)
        assert torch.equal(after.labels, before.labels)
    assert len({batch.share for batch in mixed}) == 3


def test_an_epoch_gone_on_with_in_its_middle_gives_the_same_batches() -> None:
    augmentation = Augmentation(2, flip=True, random_augment=0.5, mixup=0.4)
    whole = cut(augmentation=augmentation, epoch=3)
    again = TrainingBatches(make_images(), SPEC, augmentation, batch_size=4, seed=0, epoch=3)
    again.load_state_dict({"given": 1})

    rest = list(again)

    assert len(rest) == 2
    for batch, wanted in zip(rest, whole[1:], strict=True):
        assert torch.equal(batch.images, wanted.images)
        assert batch.share == wanted.share


def test_a_lower_resolution_is_the_antialiased_image() -> None:
    small, full = cut(resolution=4), cut()

    for batch, whole in zip(small, full, strict=True):
        assert batch.images.shape == (4, 3, 4, 4)
        wanted = F.interpolate(whole.images, (4, 4), mode="bilinear", antialias=True)
        assert torch.equal(batch.images, wanted)


def test_random_augment_of_no_strength_changes_nothing_and_of_some_changes_every_image() -> None:
    images = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))

    same = random_augment(images, 0.0, torch.Generator().manual_seed(1))
    varied = random_augment(images, 0.8, torch.Generator().manual_seed(1))

    assert torch.allclose(same, images, atol=1e-5)
    assert ((varied - images).abs().amax((1, 2, 3)) > 0.01).all()
    assert varied.min() >= 0
    assert varied.max() <= 1


def test_mixed_labels_share_the_loss_as_worked_by_hand() -> None:
    logits = torch.tensor([[0.0, float(np.log(3))]])  # probabilities 1/4 and 3/4
    batch = Batch(logits, torch.tensor([0]), torch.tensor([0]), torch.tensor([1]), 0.75)

    loss = cross_entropy(0.0)(nn.Identity(), batch)

    assert float(loss) == pytest.approx(0.75 * np.log(4) + 0.25 * np.log(4 / 3))


def test_class_weights_make_rare_classes_count_as_much() -> None:
    labels = torch.tensor([0, 0, 0, 1])

    weights = balance_classes(labels, 2)

    assert weights.tolist() == pytest.approx([2 / 3, 2])
    assert float(weights[labels].mean()) == pytest.approx(1)
    logits = torch.tensor([[2.0, 0.0]] * 4)
    losses = [-F.log_softmax(logits, 1)[0, label] for label in (0, 1)]
    loss = cross_entropy(0.0, weights)(nn.Identity(), Batch(logits, labels, labels))
    assert float(loss) == pytest.approx(float(sum(losses)) / 2)
