"""Shards and row groups that are read while training, against the same images decoded before."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from mobisdk.data import decode_images, open_dataset
from mobisdk.data.batches import Augmentation, TrainingBatches
from mobisdk.data.streaming import GROUPS_AT_ONCE, StreamedImages
from mobisdk.errors import DataError
from mobisdk.specs import InputSpec, ModelSpec
from mobisdk.training import TrainProgress, TrainSpec, read_run, resume, train

SPEC = InputSpec(8, 8)


def encode(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 255 - shade, 0)).save(file, "PNG")
    return file.getvalue()


def write_shard(path: Path, samples: dict[str, tuple[bytes, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, (image, label) in samples.items():
            for suffix, content in (("png", image), ("cls", label.encode())):
                member = tarfile.TarInfo(f"{name}.{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Six shards of ten to train with, dark and bright, and one to test with; one image is in both splits."""
    for shard in range(6):
        samples = {f"{index:04}": (encode(shard * 20 + index), str(index % 2)) for index in range(10)}
        write_shard(tmp_path / "shards" / f"train-{shard:04}.tar", samples)
    held_out = {f"{index:04}": (encode(200 + index), str(index % 2)) for index in range(9)}
    write_shard(tmp_path / "shards" / "test-0000.tar", {**held_out, "leak": (encode(23), "1")})
    return tmp_path / "shards"


def test_shards_are_split_by_their_names_and_shared_images_leave_train(shards: Path) -> None:
    dataset = open_dataset(shards)

    assert dataset.classes == ("0", "1")
    assert (len(dataset.train), len(dataset.test), dataset.duplicates) == (59, 10, 1)
    assert dataset.train[0].name == f"{shards / 'train-0000.tar'} 0000.png"
    assert dataset.train[1].read() == encode(1)
    assert not {image.sha256 for image in dataset.train} & {image.sha256 for image in dataset.test}


def test_shards_with_names_for_labels_are_in_their_order(tmp_path: Path) -> None:
    write_shard(tmp_path / "pets.tar", {f"{n}": (encode(n), ("dog", "cat")[n % 2]) for n in range(20)})

    dataset = open_dataset(tmp_path / "pets.tar")

    assert dataset.classes == ("cat", "dog")
    assert (len(dataset.train), len(dataset.test)) == (16, 4)


def test_streamed_batches_have_the_images_that_decoding_before_gives(shards: Path, tmp_path: Path) -> None:
    images = open_dataset(shards).train
    decoded = decode_images(images, SPEC, cache=tmp_path)
    streamed = StreamedImages(images, SPEC, skip_broken=False)

    batches = [torch.arange(start, start + 7) for start in range(0, 49, 7)]
    for indices, (given, pixels) in zip(batches, streamed.stream(batches), strict=True):
        assert torch.equal(given, indices)
        assert np.array_equal(pixels.numpy(), decoded.pixels[indices])


def test_streamed_order_has_every_image_once_and_mixes_a_few_shards_at_a_time(shards: Path) -> None:
    images = open_dataset(shards).train
    streamed = StreamedImages(images, SPEC, skip_broken=False)

    order = streamed.order(torch.Generator().manual_seed(0)).tolist()

    assert sorted(order) == list(range(59))
    assert order != streamed.order(torch.Generator().manual_seed(1)).tolist()
    first = [images[index].group for index in order[:30]]
    assert len(set(first)) == GROUPS_AT_ONCE
    assert first != sorted(first)


def test_streamed_parquet_reads_rows_of_mixed_row_groups(tmp_path: Path) -> None:
    table = pa.table({"image": [encode(index) for index in range(60)], "label": [index % 2 for index in range(60)]})
    pq.write_table(table, tmp_path / "data.parquet", row_group_size=5)
    dataset = open_dataset(tmp_path / "data.parquet")
    streamed = StreamedImages(dataset.train, SPEC, skip_broken=False)

    batches = TrainingBatches(streamed, SPEC, Augmentation(0, flip=False), batch_size=8, seed=0)

    seen = []
    for batch in batches:
        shades = ((batch.images[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()
        assert shades == [int(streamed.names[index].split()[-1]) for index in batch.indices]
        seen += batch.indices.tolist()
    assert len(set(seen)) == len(seen) == 48


def test_a_broken_image_in_a_shard_is_named_and_skipped_only_if_asked(shards: Path) -> None:
    samples = {f"{index:04}": (encode(150 + index), str(index % 2)) for index in range(10)}
    samples["0003"] = (b"no image", "1")
    write_shard(shards / "train-7431.tar", samples)
    images = open_dataset(shards).train
    every = [torch.arange(start, start + 23) for start in (0, 23, 46)]

    with pytest.raises(DataError, match=r"broken.*train-7431\.tar 0003\.png"):
        list(StreamedImages(images, SPEC, skip_broken=False).stream(every))
    forgiving = StreamedImages(images, SPEC, skip_broken=True)
    assert [len(pixels) for _, pixels in forgiving.stream(every)] == [23, 23, 22]
    assert forgiving.broken == (f"{shards / 'train-7431.tar'} 0003.png",)


@pytest.mark.parametrize(
    ("content", "complaint"), [(b"no tar at all" * 100, "cannot be read"), (b"", "no image|cannot be read")]
)
def test_shards_when_one_is_damaged_then_data_error_names_it(shards: Path, content: bytes, complaint: str) -> None:
    (shards / "train-0000.tar").write_bytes(content)
    (shards / "train-0001.tar").write_bytes(content)

    with pytest.raises(DataError, match=rf"{complaint}.*train-0000\.tar"):
        open_dataset(shards)


def test_shards_when_an_image_has_no_label_then_data_error_names_it(tmp_path: Path) -> None:
    write_shard(tmp_path / "one.tar", {"a": (encode(0), "")})

    with pytest.raises(DataError, match=r"no label.*one\.tar a\.png.*\.cls"):
        open_dataset(tmp_path / "one.tar")


def test_a_streamed_training_resumes_bit_for_bit_and_counts_what_it_left_out(shards: Path, tmp_path: Path) -> None:
    def stop(now: TrainProgress) -> None:
        if (now.epoch, now.step) == (2, 2):
            raise KeyboardInterrupt

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        write_shard(shards / "train-0009.tar", {"bad": (b"no image", "1")})
        model = ModelSpec(alpha=0.1, resolution=32, num_classes=2)
        spec = TrainSpec(model, data=str(shards), epochs=2, batch_size=16, stream=True, skip_broken=True)
        straight = train(spec, runs=tmp_path / "straight", name="run")
        with pytest.raises(KeyboardInterrupt):
            train(spec, runs=tmp_path / "stopped", name="run", on_progress=stop)

        resumed = resume(tmp_path / "stopped" / "run")
    finally:
        torch.set_num_threads(threads)

    assert resumed.checkpoint.read_bytes() == straight.checkpoint.read_bytes()
    assert max(line["broken_images"] for line in read_run(straight.folder).metrics) == 1
