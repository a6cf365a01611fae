"""The confusion matrix as a person sees it."""

import io

import numpy as np
from rich.console import Console

from mobisdk.accuracy import Evaluation
from mobisdk.report.confusion import build_confusion_table


def lines(classes: tuple[str, ...]) -> list[str]:
    labels, predictions = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1])
    console = Console(file=io.StringIO(), width=80)
    console.print(build_confusion_table(Evaluation(classes, labels, predictions, "0" * 64)))
    assert isinstance(console.file, io.StringIO)
    return [line.split() for line in console.file.getvalue().splitlines()]


def test_table_when_names_are_short_then_they_head_the_columns() -> None:
    head, _, *rows = lines(("cat", "dog", "owl"))
    assert head == ["cat", "dog", "owl", "right"]
    assert rows == [["cat", "2", "1", "·", "67%"], ["dog", "·", "2", "·", "100%"], ["owl", "·", "·", "·"]]


def test_table_when_a_name_is_long_then_numbers_head_the_columns() -> None:
    head, _, *rows = lines(("airplane", "dog", "owl"))
    assert head == ["0", "1", "2", "right"]
    assert [row[:2] for row in rows] == [["0", "airplane"], ["1", "dog"], ["2", "owl"]]


def test_table_when_a_name_would_act_on_the_terminal_then_it_cannot() -> None:
    _, _, *rows = lines(("\x1b[2J", "[b]x", "owl"))
    assert [row[0] for row in rows] == ["\ufffd[2J", "[b]x", "owl"]
