"""Counting right answers, against SciPy, scikit-learn and a case worked by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from mobisdk.accuracy import ConfusionCell, Evaluation, wilson_interval
from mobisdk.errors import DataError

CLASSES = ("cat", "dog", "owl")


def evaluation(labels: list[int], predictions: list[int], classes: tuple[str, ...] = CLASSES) -> Evaluation:
    return Evaluation(classes, np.array(labels, np.int64), np.array(predictions, np.int64), "0" * 64)


@pytest.mark.parametrize(
    ("correct", "total"), [(0, 1), (1, 1), (0, 360), (360, 360), (1, 2), (351, 360), (5, 100), (9_412, 10_000)]
)
def test_wilson_interval_is_scipys(correct: int, total: int) -> None:
    expected = binomtest(correct, total).proportion_ci(confidence_level=0.95, method="wilson")
    assert wilson_interval(correct, total) == pytest.approx((expected.low, expected.high), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("total", [1, 7, 360, 50_000])
def test_wilson_interval_when_none_or_all_are_right_then_ends_at_0_or_1(total: int) -> None:
    assert wilson_interval(0, total)[0] == 0.0
    assert wilson_interval(total, total)[1] == 1.0


@pytest.mark.parametrize(("classes", "images"), [(2, 5), (10, 360), (37, 2_000), (200, 300)])
def test_figures_are_scikit_learns(classes: int, images: int) -> None:
    random = np.random.default_rng(classes)
    labels = random.integers(0, classes, images)
    predictions = np.where(random.random(images) < 0.6, labels, random.integers(0, classes, images))
    found = Evaluation(tuple(map(str, range(classes))), labels, predictions, "0" * 64)

    expected = confusion_matrix(labels, predictions, labels=range(classes))
    np.testing.assert_array_equal(found.confusion, expected)
    assert found.accuracy == accuracy_score(labels, predictions)
    recalls = recall_score(labels, predictions, labels=range(classes), average=None, zero_division=np.nan)
    np.testing.assert_allclose([np.nan if recall is None else recall for recall in found.recalls], recalls)
    assert [(int(cell.label), int(cell.predicted), cell.count) for cell in found.cells] == [
        (row, column, expected[row, column]) for row, column in np.argwhere(expected).tolist()
    ]


def test_figures_of_a_case_worked_by_hand() -> None:
    found = evaluation([0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 2, 1, 1, 0, 0])
    assert (found.images, found.correct, found.accuracy) == (8, 3, 0.375)
    assert found.low < 0.375 < found.high
    assert found.confusion.tolist() == [[1, 2, 1], [2, 2, 0], [0, 0, 0]]
    assert found.class_counts == (4, 4, 0)
    assert found.recalls == (0.25, 0.5, None)  # there is no owl
    assert found.most_confused(2) == (ConfusionCell("cat", "dog", 2, 4), ConfusionCell("dog", "cat", 2, 4))
    assert found.most_confused(9)[2:] == (ConfusionCell("cat", "owl", 1, 4),)


def test_most_confused_when_all_is_right_then_nothing() -> None:
    assert evaluation([0, 1, 2], [0, 1, 2]).most_confused(5) == ()


def test_most_confused_when_two_classes_share_a_name_then_taking_one_for_the_other_is_a_mistake() -> None:
    found = evaluation([0, 1], [1, 1], classes=("crane", "crane"))  # ImageNet has the bird and the machine
    assert found.most_confused(5) == (ConfusionCell("crane", "crane", 1, 1),)


def test_cells_when_there_are_very_many_classes_then_few() -> None:
    classes = tuple(map(str, range(100_000)))
    assert evaluation([99_999, 5], [0, 5], classes).cells == (
        ConfusionCell("5", "5", 1, 1),
        ConfusionCell("99999", "0", 1, 1),
    )


@pytest.mark.parametrize(
    ("labels", "predictions", "sentence"),
    [
        ([], [], "no image is left"),
        ([0, 1], [0], "every image needs one prediction"),
        ([0, 3], [0, 1], "a label is no class's index"),
        ([0, 1], [-1, 1], "a prediction is no class's index"),
    ],
)
def test_evaluation_when_it_cannot_be_counted_then_says_so(
    labels: list[int], predictions: list[int], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        evaluation(labels, predictions)
