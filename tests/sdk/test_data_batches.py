import numpy as np
import pytest
import torch

from mobisdk.data import DecodedImages
from mobisdk.data.augmentation import Draws, random_crop, random_flip_
from mobisdk.data.batches import Augmentation, HeldOutBatches, TrainingBatches, normalize
from mobisdk.specs import InputSpec

PLAIN = Augmentation(padding=0, flip=False)


def make_images(count: int, side: int = 4) -> DecodedImages:
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
    return DecodedImages(pixels, np.arange(count), tuple(map(str, range(count))), ())


def test_normalize_as_worked_by_hand() -> None:
    spec = InputSpec(resize=2, crop=2, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 2.0))
    pixels = torch.tensor([[[[0, 51, 255], [255, 255, 0]], [[127, 0, 51], [51, 102, 102]]]], dtype=torch.uint8)

    images = normalize(pixels, spec)

    assert images.shape == (1, 3, 2, 2)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    # (value/255 - mean)/std, a channel at a time: rows are top to bottom.
    assert torch.allclose(images[0, 0], torch.tensor([[-1.0, 1.0], [-1 / 255, -0.6]]), atol=1e-6)
    assert torch.allclose(images[0, 1], torch.tensor([[-0.2, 3.0], [-1.0, 0.6]]), atol=1e-6)
    assert torch.allclose(images[0, 2], torch.tensor([[0.5, 0.0], [0.1, 0.2]]), atol=1e-6)


def test_training_batches_show_every_image_once_in_an_order_of_their_seed() -> None:
    def draw(seed: int) -> list[int]:
        batches = TrainingBatches(make_images(12), InputSpec(4, 4), PLAIN, batch_size=4, seed=seed)
        return torch.cat([batch.indices for batch in batches]).tolist()

    assert sorted(draw(0)) == list(range(12))
    assert draw(0) == draw(0)
    assert draw(0) != draw(1)


def test_training_batches_belong_to_their_images_and_leave_out_what_fills_no_batch() -> None:
    images, spec = make_images(10), InputSpec(4, 4)
    batches = TrainingBatches(images, spec, PLAIN, batch_size=4, seed=3)

    drawn = list(batches)

    assert len(drawn) == len(batches) == 2
    for batch in drawn:
        assert batch.labels.tolist() == batch.indices.tolist()
        assert torch.equal(batch.images, normalize(torch.from_numpy(images.pixels)[batch.indices], spec))
    assert batches.waited_ns > 0


def test_training_batches_when_there_are_fewer_images_than_a_batch_then_one_batch_has_them_all() -> None:
    batches = TrainingBatches(make_images(3), InputSpec(4, 4), PLAIN, batch_size=64, seed=0)

    assert [len(batch.labels) for batch in batches] == [3]


def test_held_out_batches_have_every_image_in_order() -> None:
    batches = HeldOutBatches(make_images(10), InputSpec(4, 4), batch_size=4)

    assert len(batches) == 3
    assert torch.cat([batch.indices for batch in batches]).tolist() == list(range(10))


@pytest.mark.parametrize(("side", "crop", "padding"), [(6, 6, 2), (6, 4, 0), (5, 4, 1)])
def test_random_crop_cuts_windows_of_the_padded_image(side: int, crop: int, padding: int) -> None:
    images = torch.randint(1, 256, (200, side, side, 3), dtype=torch.uint8)
    places = side + 2 * padding - crop + 1
    padded = np.pad(images.numpy(), ((0, 0), (padding, padding), (padding, padding), (0, 0)))

    cropped = random_crop(images, crop, padding, Draws(torch.Generator().manual_seed(0), len(images))).numpy()

    seen = set()
    for image, window in zip(padded, cropped, strict=True):
        matches = [
            (top, left)
            for top in range(places)
            for left in range(places)
            if np.array_equal(image[top : top + crop, left : left + crop], window)
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) == places**2  # 200 draws reach all of at most 25 places


def test_random_flip_mirrors_about_half_of_the_images_left_to_right() -> None:
    images = torch.randint(0, 256, (400, 3, 5, 3), dtype=torch.uint8)

    flipped = random_flip_(images.clone(), Draws(torch.Generator().manual_seed(0), len(images)))

    mirrored = [
        np.array_equal(after, before[:, ::-1]) for before, after in zip(images.numpy(), flipped.numpy(), strict=True)
    ]
    same = [np.array_equal(after, before) for before, after in zip(images.numpy(), flipped.numpy(), strict=True)]
    assert sum(mirrored) + sum(same) == 400
    assert 150 < sum(mirrored) < 250
