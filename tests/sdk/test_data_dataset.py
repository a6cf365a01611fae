import pytest

from mobisdk.data.dataset import Dataset, ImageRef, drop_shared, hold_out
from mobisdk.errors import DataError


def make_image(name: str, label: int, content: str | None = None) -> ImageRef:
    encoded = (name if content is None else content).encode()
    return ImageRef(name, label, lambda: encoded)


def make_images(count: int, label: int) -> list[ImageRef]:
    return [make_image(f"{label}-{index}", label) for index in range(count)]


def test_sha256_is_that_of_the_files_bytes() -> None:
    # The digest of FIPS 180-2's first example.
    assert make_image("a", 0, "abc").sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_hold_out_takes_a_fifth_of_every_class() -> None:
    train, test, duplicates = hold_out(make_images(50, 0) + make_images(10, 1) + make_images(2, 2))

    assert [sum(image.label == label for image in test) for label in range(3)] == [10, 2, 1]
    assert [sum(image.label == label for image in train) for label in range(3)] == [40, 8, 1]
    assert duplicates == 0
    assert not {image.sha256 for image in train} & {image.sha256 for image in test}


def test_hold_out_when_the_order_changes_then_the_split_does_not() -> None:
    images = make_images(40, 0) + make_images(40, 1)
    shuffled = sorted(images, key=lambda image: image.name[::-1])

    held_out = {image.name for image in hold_out(images)[1]}

    assert held_out == {image.name for image in hold_out(shuffled)[1]}


def test_hold_out_when_images_are_added_then_few_change_sides() -> None:
    before = {image.name for image in hold_out(make_images(100, 0))[1]}
    after = {image.name for image in hold_out(make_images(110, 0))[1]}

    assert len(before - after) <= 5


def test_hold_out_when_an_image_is_there_twice_then_one_is_kept_and_the_copy_is_counted() -> None:
    images = [*make_images(10, 0), *make_images(10, 1), make_image("copy of 0-3", 0, "0-3"), make_image("x", 1, "0-3")]

    train, test, duplicates = hold_out(images)

    assert duplicates == 2
    assert sorted(image.name for image in train + test) == sorted(image.name for image in images[:20])


def test_drop_shared_removes_from_train_what_test_has() -> None:
    train = [*make_images(3, 0), make_image("copy", 0, "held out")]
    test = [make_image("original", 0, "held out")]

    kept, held_out, duplicates = drop_shared(train, test)

    assert [image.name for image in kept] == ["0-0", "0-1", "0-2"]
    assert [image.name for image in held_out] == ["original"]
    assert duplicates == 1


def test_dataset_when_it_has_one_class_then_data_error() -> None:
    with pytest.raises(DataError, match="one class"):
        Dataset("cats", ("cat",), tuple(make_images(2, 0)), tuple(make_images(2, 0)), duplicates=0)


def test_dataset_when_a_split_lacks_a_class_then_data_error_names_it() -> None:
    both = tuple(make_images(2, 0) + make_images(2, 1))

    with pytest.raises(DataError, match=r"no image to test with.*dog"):
        Dataset("pets", ("cat", "dog"), both, tuple(make_images(2, 0)), duplicates=0)


def test_dataset_when_there_is_no_image_then_data_error() -> None:
    with pytest.raises(DataError, match="no image"):
        Dataset("pets", (), (), (), duplicates=0)


def test_sha256_of_a_dataset_depends_on_content_labels_and_splits_alone() -> None:
    first, second = make_images(2, 0), make_images(2, 1)
    train, test = (first[0], second[0]), (first[1], second[1])
    renamed = tuple(make_image("elsewhere", image.label, image.name) for image in train)
    relabelled = (make_image("0-0", 1), make_image("1-0", 0))

    dataset = Dataset("here", ("a", "b"), train, test, duplicates=0)

    assert Dataset("there", ("a", "b"), renamed, test, duplicates=0).sha256 == dataset.sha256
    assert Dataset("here", ("a", "b"), relabelled, test, duplicates=0).sha256 != dataset.sha256
    assert Dataset("here", ("a", "b"), test, train, duplicates=0).sha256 != dataset.sha256
