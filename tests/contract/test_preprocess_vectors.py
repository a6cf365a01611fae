"""The committed vectors are what the script makes, and what the text of contract 3 says, worked out with fractions."""

import json
import math
import runpy
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "preprocess"
VECTORS = json.loads((FOLDER / "vectors.json").read_text())["vectors"]

Pixel = tuple[int, ...]
Rows = list[list[Pixel]]


def test_files_are_what_the_script_makes() -> None:
    made = runpy.run_path(str(FOLDER.parent / "make_preprocess_vectors.py"))["make_files"]()
    assert {path.name: path.read_bytes() for path in FOLDER.iterdir()} == made
    assert sum(map(len, made.values())) < 400_000


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_output_is_what_the_definition_says(vector: dict[str, Any]) -> None:
    stored = (FOLDER / vector["input"]).read_bytes()
    width, height = vector["width"], vector["height"]
    assert len(stored) == 4 * width * height
    rows = [[tuple(stored[4 * (y * width + x) :][:4]) for x in range(width)] for y in range(height)]
    expected = cropped_and_resized(over_black(upright(rows, vector["orientation"])), vector["resize"], vector["crop"])
    assert (FOLDER / vector["output"]).read_bytes() == bytes(value for row in expected for p in row for value in p)


def upright(rows: Rows, orientation: int) -> Rows:
    height, width = len(rows), len(rows[0])

    def stored_at(x: int, y: int) -> Pixel:
        column, row = {
            1: (x, y),
            2: (width - 1 - x, y),
            3: (width - 1 - x, height - 1 - y),
            4: (x, height - 1 - y),
            5: (y, x),
            6: (y, height - 1 - x),
            7: (width - 1 - y, height - 1 - x),
            8: (width - 1 - y, x),
        }[orientation]
        return rows[row][column]

    turned_width, turned_height = (height, width) if orientation >= 5 else (width, height)
    return [[stored_at(x, y) for x in range(turned_width)] for y in range(turned_height)]


def over_black(rows: Rows) -> Rows:
    return [[tuple(half_up(Fraction(colour * p[3], 255)) for colour in p[:3]) for p in row] for row in rows]


def cropped_and_resized(rows: Rows, resize: int, crop: int) -> Rows:
    shorter = min(len(rows), len(rows[0]))
    vertical = triangle_weights(len(rows), half_up(Fraction(len(rows) * resize, shorter)), crop)
    horizontal = triangle_weights(len(rows[0]), half_up(Fraction(len(rows[0]) * resize, shorter)), crop)
    needed = sorted({row for weights in vertical for row in weights})
    narrow = {row: [mean([(rows[row][x], w) for x, w in weights.items()]) for weights in horizontal] for row in needed}
    return [
        [tuple(map(half_up, mean([(narrow[y][x], w) for y, w in weights.items()]))) for x in range(crop)]
        for weights in vertical
    ]


def triangle_weights(length: int, resized: int, crop: int) -> list[dict[int, Fraction]]:
    """For each output of the centre crop, the inputs under its triangle: the geometry, not the contract's formula."""
    scale = Fraction(length, resized)
    radius = max(Fraction(1), scale)
    offset = math.floor(Fraction(resized - crop, 2))
    outputs = []
    for output in range(offset, offset + crop):
        centre = (output + Fraction(1, 2)) * scale
        heights = {x: 1 - abs(x + Fraction(1, 2) - centre) / radius for x in range(length)}
        outputs.append({x: height for x, height in heights.items() if height > 0})
    return outputs


def mean(weighted: list[tuple[tuple[Any, ...], Fraction]]) -> tuple[Fraction, ...]:
    total = sum(weight for _, weight in weighted)
    return tuple(sum(pixel[c] * weight for pixel, weight in weighted) / total for c in range(3))


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))
