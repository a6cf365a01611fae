import json
from pathlib import Path
from typing import Any

import pytest

from mobisdk.accuracy import wilson_interval
from mobisdk.errors import DataError
from mobisdk.report.accuracy import Accuracy, format_accuracy, read_accuracies

DOCUMENT: dict[str, Any] = {
    "bundle_id": "b1", "variant_id": "v1", "weights_source": "checkpoint", "image_set_sha256": "ab", "images": 360,
    "accuracy": 0.975, "interval_95": [0.953, 0.987],
}  # fmt: skip


def written(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps({name: value for name, value in (DOCUMENT | changes).items() if value is not ...}))
    return path


def test_evaluations_are_read_by_variant(tmp_path: Path) -> None:
    found = read_accuracies([written(tmp_path / "a"), written(tmp_path / "b", variant_id="v2", accuracy=0.96)])
    assert found == {
        "v1": Accuracy("v1", 0.975, 0.953, 0.987, 360, "ab", str(tmp_path / "a")),
        "v2": Accuracy("v2", 0.96, 0.953, 0.987, 360, "ab", str(tmp_path / "b")),
    }
    assert format_accuracy(found["v1"]) == "97.5 [95.3, 98.7]"
    assert read_accuracies([]) == {}


@pytest.mark.parametrize("correct", [0, 1, 180, 359, 360])
def test_every_interval_that_evaluate_prints_is_taken(tmp_path: Path, correct: int) -> None:
    figures = {"accuracy": correct / 360, "interval_95": list(wilson_interval(correct, 360))}
    assert read_accuracies([written(tmp_path / "a", **figures)])["v1"].share == correct / 360


def test_two_files_that_say_the_same_of_a_variant_agree(tmp_path: Path) -> None:
    found = read_accuracies([written(tmp_path / "a"), written(tmp_path / "b", bundle_id="b2")])
    assert found["v1"].source == str(tmp_path / "a")


def test_two_files_that_disagree_about_a_variant_are_both_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a' and .*b' disagree about the accuracy of one variant, got \[0.975, 0.96\]"):
        read_accuracies([written(tmp_path / "a"), written(tmp_path / "b", accuracy=0.96)])


def test_files_of_different_images_are_both_named(tmp_path: Path) -> None:
    other = {"variant_id": "v2", "image_set_sha256": "cd"}
    with pytest.raises(DataError, match=r"a' and .*b' are of different images"):
        read_accuracies([written(tmp_path / "a"), written(tmp_path / "b", **other)])


def test_untrained_weights_have_no_accuracy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"untrained weights, whose accuracy is chance\. Evaluate the trained network"):
        read_accuracies([written(tmp_path / "a", weights_source="random")])


def test_size_is_taken_where_it_is_told_and_must_be_one(tmp_path: Path) -> None:
    assert read_accuracies([written(tmp_path / "a", model_bytes=1_900_000)])["v1"].model_bytes == 1_900_000
    for wrong in (0, -1, 1.5, "1", None, True):
        with pytest.raises(DataError, match=r"model_bytes of .* is"):
            read_accuracies([written(tmp_path / "a", model_bytes=wrong)])


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 10_000, b"\0"])
def test_file_that_is_no_json_is_named_with_the_command_that_writes_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError, match=r"a' is no JSON document: .*mobisdk evaluate BUNDLE"):
        read_accuracies([tmp_path / "a"])


@pytest.mark.parametrize("content", ["[]", "3", "null", '"text"'])
def test_document_that_is_no_object_is_no_evaluation(tmp_path: Path, content: str) -> None:
    (tmp_path / "a").write_text(content)
    with pytest.raises(DataError, match="a' is no evaluation"):
        read_accuracies([tmp_path / "a"])


@pytest.mark.parametrize(
    "name", ["variant_id", "weights_source", "image_set_sha256", "images", "accuracy", "interval_95"]
)
@pytest.mark.parametrize("value", [..., None, True, {}])
def test_field_that_is_missing_or_of_another_kind_is_named(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(DataError, match=f"{name} of .* is missing or wrong"):
        read_accuracies([written(tmp_path / "a", **{name: value})])


@pytest.mark.parametrize(
    "changes",
    [
        {"accuracy": 97.5},
        {"accuracy": -0.1},
        {"accuracy": float("nan")},
        {"interval_95": [0.953]},
        {"interval_95": [0.9, 0.95, 0.99]},
        {"interval_95": [0.987, 0.953]},
        {"interval_95": [float("nan"), 0.99]},
        {"interval_95": ["0.9", "0.99"]},
        {"interval_95": [0.9, 1.1]},
        {"images": 0},
    ],
)
def test_figures_that_are_no_shares_of_images_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"the figures of .* are wrong"):
        read_accuracies([written(tmp_path / "a", **changes)])


def test_file_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_accuracies([tmp_path / "missing"])
