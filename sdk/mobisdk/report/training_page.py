"""Trainings as one offline page: their curves, what the network takes for what, and the images that it mistook."""

import base64
import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobisdk.accuracy import ConfusionCell, Evaluation, wilson_interval
from mobisdk.report.blocks import Figure
from mobisdk.report.charts.confusion import MOST_CLASSES, draw_confusion
from mobisdk.report.charts.curve import curve_points, draw_curves
from mobisdk.report.frame import KeyFigure, create_environment, render_page
from mobisdk.report.numbers import format_share
from mobisdk.report.printable import printable

MOST_TRAININGS: Final = 6
"""On a page: a colour each."""
_CURVES: Final = (
    ("Loss", "loss", "loss", ".3~g"),
    ("Held-out images named right", "accuracy", "share", ".1%"),
    ("Learning rate", "learning_rate", "learning rate", ".2~g"),
)
_PAIRS, _IMAGES_A_PAIR = 6, 6
_SIDE: Final = 64
"""Pixels of an embedded image: 36 of them stay below half a megabyte."""


@dataclasses.dataclass(frozen=True)
class Training:
    """One training as a page shows it."""

    name: str
    facts: Mapping[str, str]
    """Its settings and its data."""
    metrics: Sequence[Mapping[str, Any]]
    """One object an epoch, oldest first; at least one."""


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOut:
    """What a training's network says of the held-out images."""

    evaluation: Evaluation
    pixels: NDArray[np.uint8]
    """(N,S,S,3), in the evaluation's order."""
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class MistakenImage:
    """An image in the page itself."""

    name: str
    uri: str


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A pair of classes, and images of it."""

    cell: ConfusionCell
    images: tuple[MistakenImage, ...]


def build_training_page(
    trainings: Sequence[Training], held_out: HeldOut | None, why_not: str, made_at: datetime
) -> str:
    """Build the page of one training, or of several side by side.

    `held_out` is of a single training; `why_not` says why it is not there.
    """
    evaluation = held_out.evaluation if held_out else None
    return render_page(
        create_environment(),
        "training.html.j2",
        made_at,
        has_pictures=True,
        title=trainings[0].name if len(trainings) == 1 else f"{len(trainings)} trainings side by side",
        key_figures=list(_key_figures(trainings)),
        trainings=trainings,
        columns=[tell_accuracy(training) for training in trainings],
        curves=[
            (heading, Figure("", draw_curves(_points(trainings, field), title, number_format=number_format)))
            for heading, field, title, number_format in _CURVES
        ],
        facts=list(_list_facts(trainings)),
        evaluation=evaluation,
        matrix=draw_confusion(evaluation) if evaluation and len(evaluation.classes) <= MOST_CLASSES else None,
        mistakes=list_mistakes(held_out) if held_out else (),
        why_not=why_not,
    )


def tell_accuracy(training: Training) -> str:
    """`97.2 % [95.0, 98.5]`, after the last epoch."""
    last = training.metrics[-1]
    return format_share(last["correct"], last["tested"])


def list_mistakes(held_out: HeldOut) -> list[Mistake]:
    """The commonest mistakes, with a few of their images each."""
    evaluation = held_out.evaluation
    numbers = {name: number for number, name in enumerate(evaluation.classes)}
    mistakes = []
    for cell in evaluation.most_confused(_PAIRS):
        is_here = (evaluation.labels == numbers[cell.label]) & (evaluation.predictions == numbers[cell.predicted])
        places = np.flatnonzero(is_here)[:_IMAGES_A_PAIR].tolist()
        images = tuple(MistakenImage(held_out.names[place], _embed(held_out.pixels[place])) for place in places)
        mistakes.append(Mistake(cell, images))
    return mistakes


def _embed(pixels: NDArray[np.uint8]) -> str:
    """(S,S,3) as a PNG's data URI, not larger than it is shown."""
    image = Image.fromarray(pixels)
    if image.width > _SIDE:
        image = image.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _points(trainings: Sequence[Training], field: str) -> list[dict[str, Any]]:
    return [point for each in trainings for point in curve_points(printable(each.name), each.metrics, field)]


def _key_figures(trainings: Sequence[Training]) -> Iterator[KeyFigure]:
    best = max(trainings, key=lambda training: training.metrics[-1]["accuracy"])
    last = best.metrics[-1]
    low, high = wilson_interval(last["correct"], last["tested"])
    several = len(trainings) > 1
    interval = f"95 % interval {100 * low:.1f} to {100 * high:.1f}"
    yield KeyFigure(
        "most accurate" if several else "named right",
        f"{100 * last['accuracy']:.1f} %",
        best.name if several else f"{interval}, of {last['tested']:,} held-out images",
    )
    yield KeyFigure("loss", f"{last['loss']:.3g}", "mean over the last epoch's steps")
    yield KeyFigure("epochs", f"{len(best.metrics):,}", f"{last['step']:,} steps")
    seconds = sum(line["seconds"] for line in best.metrics)
    yield KeyFigure("time", f"{seconds / 60:.1f} min", f"{last['images_per_second']:,.0f} images/s in the last epoch")


def _list_facts(trainings: Sequence[Training]) -> Iterator[tuple[str, list[str]]]:
    """What each training was set to: all of it for one, what differs for several."""
    names = dict.fromkeys(name for training in trainings for name in training.facts)
    for name in names:
        values = [training.facts.get(name, "–") for training in trainings]
        if len(trainings) == 1 or len(set(values)) > 1:
            yield name, values
