"""Digits, class folders and Parquet, read as a user has them."""

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mobisdk.data import open_dataset
from mobisdk.errors import DataError, UnsupportedError
from mobisdk.preprocess import decode_image

CIFAR10 = Path(__file__).parents[3] / "shared" / "data" / "cifar10"


def encode(colour: tuple[int, int, int], *, file_format: str = "PNG", size: tuple[int, int] = (8, 6)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, file_format)
    return file.getvalue()


def write_classes(folder: Path, *, shade: int = 0, count: int = 4) -> None:
    """Two classes, every image another one."""
    for label, name in enumerate(("cats", "dogs")):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            (folder / name / f"{index}.png").write_bytes(encode((shade, label, index)))


def write_parquet(path: Path, colours: list[tuple[int, int, int]], labels: list[int], **columns: list[str]) -> None:
    images = [encode(colour) for colour in colours]
    pq.write_table(pa.table({"image": images, "label": labels, **columns}), path, row_group_size=3)


def test_digits_are_all_there_and_split_without_overlap() -> None:
    digits = open_dataset("digits")

    assert len(digits.train) + len(digits.test) + digits.duplicates == 1797
    assert digits.classes == tuple("0123456789")
    assert not {image.sha256 for image in digits.train} & {image.sha256 for image in digits.test}
    assert 0.19 < len(digits.test) / 1797 < 0.21
    assert min(Counter(image.label for image in digits.test).values()) >= 30
    assert not digits.flip


def test_digits_decode_to_the_scans_values() -> None:
    from sklearn.datasets import load_digits

    scans = load_digits()
    image = open_dataset("digits").train[0]
    index = int(image.name.split()[-1])

    decoded = decode_image(image.read(), image.name)

    assert decoded.shape == (8, 8, 3)
    assert image.label == scans.target[index]
    assert np.abs(decoded[..., 0] / 255 * 16 - scans.images[index]).max() < 0.04


def test_folder_classes_are_its_folders_and_a_share_is_held_out(tmp_path: Path) -> None:
    write_classes(tmp_path, count=10)

    dataset = open_dataset(tmp_path)

    assert dataset.classes == ("cats", "dogs")
    assert (len(dataset.train), len(dataset.test)) == (16, 4)
    assert {Path(image.name).parent.name: image.label for image in dataset.train} == {"cats": 0, "dogs": 1}
    assert dataset.flip


@pytest.mark.parametrize("held_out", ["test", "val"])
def test_folder_splits_are_honoured_and_shared_images_leave_train(tmp_path: Path, held_out: str) -> None:
    write_classes(tmp_path / "train", shade=1)
    write_classes(tmp_path / held_out, shade=2, count=2)
    (tmp_path / "train" / "cats" / "leaked.png").write_bytes((tmp_path / held_out / "cats" / "0.png").read_bytes())

    dataset = open_dataset(tmp_path)

    assert (len(dataset.train), len(dataset.test), dataset.duplicates) == (8, 4, 1)
    assert "leaked" not in " ".join(image.name for image in dataset.train)


def test_folder_reads_jpeg_png_and_webp_whatever_the_case_and_counts_other_files(tmp_path: Path) -> None:
    write_classes(tmp_path)
    (tmp_path / "cats" / "photo.JPG").write_bytes(encode((200, 0, 0), file_format="JPEG"))
    (tmp_path / "cats" / "deep").mkdir()
    (tmp_path / "cats" / "deep" / "drawing.webp").write_bytes(encode((0, 200, 0), file_format="WEBP"))
    (tmp_path / "cats" / "notes.txt").write_text("these are cats")
    (tmp_path / "cats" / ".DS_Store").write_bytes(b"Apple's")

    dataset = open_dataset(tmp_path)

    images = {Path(image.name).name: image for image in dataset.train + dataset.test}
    assert {"photo.JPG", "drawing.webp"} <= set(images)
    assert abs(int(decode_image(images["drawing.webp"].read(), "webp")[0, 0, 1]) - 200) < 10
    assert dataset.ignored == 1


def test_folder_when_a_class_is_called_train_then_it_is_a_class(tmp_path: Path) -> None:
    write_classes(tmp_path)
    (tmp_path / "dogs").rename(tmp_path / "train")

    assert open_dataset(tmp_path).classes == ("cats", "train")


def test_parquet_columns_are_found_and_rows_read_across_row_groups(tmp_path: Path) -> None:
    colours = [(index, 0, 0) for index in range(10)]
    names = ["dog" if index % 2 else "cat" for index in range(10)]
    write_parquet(tmp_path / "pets.parquet", colours, [7 if name == "dog" else 3 for name in names], label_name=names)

    dataset = open_dataset(str(tmp_path / "pets.parquet"))

    assert dataset.classes == ("cat", "dog")
    for image in (*dataset.test, *dataset.train):
        row = int(image.name.split()[-1])
        assert decode_image(image.read(), image.name)[0, 0, 0] == row
        assert image.label == row % 2


def test_parquet_pair_is_a_split_and_the_hubs_columns_are_read(tmp_path: Path) -> None:
    def rows(shade: int) -> pa.Table:
        images = [{"bytes": encode((shade, 0, index)), "path": f"{index}.png"} for index in range(4)]
        return pa.table({"img": images, "label": ["ship", "car", "ship", "car"]})

    pq.write_table(rows(1), tmp_path / "train-00000-of-00001.parquet")
    pq.write_table(rows(2), tmp_path / "test-00000-of-00001.parquet")

    dataset = open_dataset(tmp_path)

    assert dataset.classes == ("car", "ship")
    assert (len(dataset.train), len(dataset.test)) == (4, 4)
    assert {decode_image(image.read(), image.name)[0, 0, 0] for image in dataset.test} == {2}


@pytest.mark.skipif(not CIFAR10.exists(), reason="CIFAR-10 is not beside this checkout")
def test_cifar10_is_split_as_it_comes() -> None:
    dataset = open_dataset(CIFAR10)

    assert (len(dataset.train), len(dataset.test)) == (50_000, 10_000)
    assert dataset.classes[3] == "cat"
    assert decode_image(dataset.train[12_345].read(), "one").shape == (32, 32, 3)


def test_open_when_it_is_a_url_then_unsupported_error() -> None:
    with pytest.raises(UnsupportedError, match=r"not from a URL, got 'https://host/photos\.tar'"):
        open_dataset("https://host/photos.tar")


def test_open_when_the_folder_is_missing_then_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such data.*nowhere.*digits"):
        open_dataset(tmp_path / "nowhere")


def test_open_when_the_folder_is_empty_then_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image"):
        open_dataset(tmp_path)


def test_open_when_there_is_one_class_then_data_error(tmp_path: Path) -> None:
    write_classes(tmp_path)
    for path in (tmp_path / "dogs").iterdir():
        path.unlink()
    (tmp_path / "dogs").rmdir()

    with pytest.raises(DataError, match=r"one class.*cats"):
        open_dataset(tmp_path)


def test_open_when_classes_have_one_image_each_then_data_error_names_them(tmp_path: Path) -> None:
    for name, value in (("cats", 10), ("dogs", 200)):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8), (value,) * 3).save(tmp_path / name / "only.png")

    with pytest.raises(DataError, match=r"no image to (test|train) with, got \['cats', 'dogs'\].*two images or more"):
        open_dataset(tmp_path)


def test_open_when_a_class_folder_is_empty_then_data_error_names_it(tmp_path: Path) -> None:
    write_classes(tmp_path)
    (tmp_path / "birds").mkdir()

    with pytest.raises(DataError, match="birds"):
        open_dataset(tmp_path)


def test_open_when_the_splits_have_other_classes_then_data_error_names_them(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", shade=1)
    write_classes(tmp_path / "test", shade=2)
    (tmp_path / "test" / "dogs").rename(tmp_path / "test" / "wolves")

    with pytest.raises(DataError, match="wolves"):
        open_dataset(tmp_path)


def test_open_when_train_has_nothing_beside_it_then_data_error(tmp_path: Path) -> None:
    write_classes(tmp_path / "train")

    with pytest.raises(DataError, match="nothing to test on"):
        open_dataset(tmp_path)


def test_open_when_it_is_another_file_then_data_error(tmp_path: Path) -> None:
    (tmp_path / "images.zip").write_bytes(b"PK")

    with pytest.raises(DataError, match="neither a folder nor Parquet"):
        open_dataset(tmp_path / "images.zip")


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"image": [b"x"]}, r"lacks a column.*label"),
        ({"label": [1]}, r"lacks a column.*image"),
        ({"image": ["text"], "label": [1]}, r"holds no encoded images.*string.*binary"),
        ({"image": [b"x", b"y"], "label": [1, None]}, r"no label.*row 1"),
    ],
)
def test_open_when_parquet_is_not_as_expected_then_data_error(
    tmp_path: Path, table: dict[str, list[object]], complaint: str
) -> None:
    pq.write_table(pa.table(table), tmp_path / "data.parquet")

    with pytest.raises(DataError, match=complaint):
        open_dataset(tmp_path / "data.parquet")


@pytest.mark.parametrize("damage", [slice(4, 200), slice(-200, None)])
def test_open_when_parquet_is_damaged_then_data_error(tmp_path: Path, damage: slice) -> None:
    write_parquet(tmp_path / "data.parquet", [(0, 0, 0), (1, 1, 1)], [0, 1])
    content = bytearray((tmp_path / "data.parquet").read_bytes())
    content[damage] = bytes(len(content[damage]))
    (tmp_path / "data.parquet").write_bytes(content)

    with pytest.raises(DataError, match="cannot be read"):
        open_dataset(tmp_path / "data.parquet")
