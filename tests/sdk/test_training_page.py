"""The page of trainings, and the curves of a terminal."""

import base64
import html
import io
import re
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobisdk.accuracy import Evaluation
from mobisdk.report.charts.confusion import draw_confusion
from mobisdk.report.charts.curve import curve_points
from mobisdk.report.curve import draw_curve
from mobisdk.report.training_page import HeldOut, Training, build_training_page, list_mistakes

HOSTILE = '"><script>alert(1)</script>'
MADE_AT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def metrics(epochs: int) -> list[dict[str, Any]]:
    return [
        {
            "epoch": epoch, "step": 10 * epoch, "loss": 2 / epoch, "learning_rate": 0.1, "correct": 80, "tested": 100,
            "accuracy": 0.8, "images_per_second": 900.0, "seconds": 30.0,
        }
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip


def held_out() -> HeldOut:
    """Ten images of three classes, 96×96; three of the first class and one of the second are mistaken."""
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    predictions = np.array([0, 1, 1, 2, 1, 1, 0, 2, 2, 2])
    pixels = np.repeat(np.arange(10, dtype=np.uint8)[:, None] * 20, 96 * 96 * 3, axis=1).reshape(10, 96, 96, 3)
    names = tuple(f"{HOSTILE}{place}.png" for place in range(10))
    return HeldOut(Evaluation((HOSTILE, "dog", "cat"), labels, predictions, "ab"), pixels, names)


def test_mistakes_are_the_commonest_first_with_their_very_images_at_most_64_pixels_wide() -> None:
    mistakes = list_mistakes(held_out())

    assert [(each.cell.label, each.cell.predicted, each.cell.count) for each in mistakes] == [
        (HOSTILE, "dog", 2), (HOSTILE, "cat", 1), ("dog", HOSTILE, 1),
    ]  # fmt: skip
    shown = [Image.open(io.BytesIO(base64.b64decode(image.uri.partition(",")[2]))) for image in mistakes[0].images]
    assert [(image.size, image.getpixel((0, 0))) for image in shown] == [
        ((64, 64), (20, 20, 20)), ((64, 64), (40, 40, 40)),
    ]  # fmt: skip
    assert [image.name for image in mistakes[2].images] == [f"{HOSTILE}6.png"]


def test_page_escapes_names_keeps_below_2_mb_and_allows_no_request() -> None:
    page = build_training_page([Training(HOSTILE, {"data": HOSTILE}, metrics(300))], held_out(), "", MADE_AT)

    assert HOSTILE not in page
    assert len(page.encode()) < 2_000_000
    page = html.unescape(page)
    assert "default-src 'none'" in page
    assert "img-src data:;" in page
    assert set(re.findall(r'<img src="(.*?:)', page.partition("<footer")[0])) == {"data:"}
    assert "80.0 %" in page


def test_page_of_several_shows_what_differs_alone_and_a_page_without_data_says_why() -> None:
    pair = [Training("first", {"epochs": "8", "seed": "1"}, metrics(2)), Training("other", {"seed": "2"}, metrics(3))]

    both = build_training_page(pair, None, "", MADE_AT)
    one = build_training_page(pair[:1], None, "The data is <gone>.", MADE_AT)

    cells = re.findall(r'<td class="text" data-value="[^"]*">(.*?)</td>', both)
    assert cells[3:] == ["epochs", "8", "–", "seed", "1", "2"]
    assert "The data is &lt;gone&gt;." in one
    assert "What it takes for what" not in one


def test_curve_points_when_there_are_very_many_epochs_then_they_are_thinned_and_the_last_one_stands() -> None:
    points = curve_points("run", metrics(1001), "loss")

    assert len(points) <= 201
    assert (points[0]["epoch"], points[-1]["epoch"]) == (1, 1001)


def test_confusion_when_names_are_long_and_alike_then_numbers_tell_them_apart() -> None:
    names = ("a very long class name 1", "a very long class name 2")
    labels = np.array([0, 1, 1])
    spec = draw_confusion(Evaluation(names, labels, np.array([0, 1, 0]), "ab"))

    (cells,) = spec["datasets"].values()
    assert [(cell["label"], cell["predicted"], cell["count"], cell["right"]) for cell in cells] == [
        ("0 a very long cla…", "0 a very long cla…", 1, True),
        ("1 a very long cla…", "0 a very long cla…", 1, False),
        ("1 a very long cla…", "1 a very long cla…", 1, True),
    ]
    assert cells[1]["share"] == 0.5


@pytest.mark.parametrize(("values", "lines"), [([], []), ([1.0], [])])
def test_curve_of_a_terminal_when_there_is_no_course_then_nothing(values: list[float], lines: list[str]) -> None:
    assert draw_curve(values, "0", "1") == lines


def test_curve_of_a_terminal_fills_its_rows_from_the_least_to_the_most() -> None:
    lines = draw_curve([0.0, 0.5, 1.0], "0", "100")

    assert [line[4:] for line in lines] == [
        " " * 20 + "█" * 10,
        " " * 20 + "█" * 10,
        " " * 10 + "▅" * 10 + "█" * 10,
        " " * 10 + "█" * 20,
        "▁" * 10 + "█" * 20,
    ]
    assert [line[:4].strip() for line in lines] == ["100", "", "", "", "0"]
    assert max(map(len, draw_curve(list(range(1000)), "0", "1"))) <= 64
