"""`mobisdk evaluate`: how many images the artefact itself names right, and what it takes for what."""

import enum
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobisdk.cli.bundles import BundlePath, open_bundle
from mobisdk.cli.confusion import PAIRS_SHOWN, print_confusion
from mobisdk.cli.console import Json, print_json, progress, say, stdout
from mobisdk.cli.labelled_images import check_classes, choose_images, list_names
from mobisdk.errors import BundleError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mobisdk.accuracy import Evaluation
    from mobisdk.bundle import Bundle
    from mobisdk.data import Dataset, ImageRef

_CHUNK = 32
"""Images decoded at a time: 400 MB at the largest resolution."""
_NO_CACHE = Path(os.devnull)
"""So few images fit in memory at every resolution: no cache is made of them."""


class Split(enum.StrEnum):
    """Which images of the data."""

    TEST = "test"
    TRAIN = "train"


def evaluate(
    bundle: BundlePath,
    data: Annotated[str, typer.Option(help="digits, a folder of class folders, or Parquet.", show_default=False)],
    split: Annotated[
        Split, typer.Option(help="test: held-out images; train: those that the network may have learnt from.")
    ] = Split.TEST,
    limit: Annotated[int | None, typer.Option(help="At most so many images, each class keeping its share.")] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Go on without images that cannot be decoded, and count them.")
    ] = False,
    json: Json = False,
) -> None:
    """Measure a bundle's accuracy.

    On labelled images, by running the artefact; with what it takes for what.
    """
    from mobisdk.data import open_dataset

    with open_bundle(bundle) as opened:
        dataset = open_dataset(data)
        with progress() as bar:
            task = bar.add_task("Evaluating", total=None)

            def show(done: int, total: int) -> None:
                speed = bar.tasks[task].speed
                rate = f", {speed:.0f} images/s" if speed else ""
                bar.update(task, completed=done, total=total, description=f"Evaluating{rate}")

            evaluation = evaluate_bundle(
                opened, dataset, split=split, limit=limit, skip_broken=skip_broken, on_image=show
            )
    available = len(_images_of(dataset, split))
    if json:
        print_json({"path": str(bundle)} | describe_evaluation(evaluation, opened, dataset, split))
    else:
        _print_report(evaluation, f"{opened.name} on {dataset.source}, {split} images")
    for sentence in _explain(evaluation, opened, split, available):
        say(sentence)
    say(f"Next: mobisdk {_next_command(opened, bundle, data)}")


def evaluate_bundle(
    bundle: "Bundle",
    dataset: "Dataset",
    *,
    split: Split = Split.TEST,
    limit: int | None = None,
    skip_broken: bool = False,
    on_image: Callable[[int, int], None] | None = None,
) -> "Evaluation":
    """Run the artefact on the images of a split; `on_image` hears how many are done, and of how many.

    With `limit` every class keeps its share of the images, and the same ones are chosen wherever the data lies.

    Raises:
        ConfigError: `limit` is below 1.
        DataError: the data's classes are not the bundle's labels, an image is broken and not to be skipped, or none
            is left.
        BundleError: the artefact cannot be run, or does not give one finite logit a label.
        UnsupportedError: nothing here runs this kind of artefact.
    """
    import numpy as np

    from mobiconvert import load_classifier
    from mobisdk.accuracy import Evaluation
    from mobisdk.data import decode_images

    labels = bundle.labels()
    check_classes(dataset, labels, "the bundle")
    images = choose_images(_images_of(dataset, split), limit, "--limit")
    kept: list[ImageRef] = []
    predictions: list[int] = []
    skipped: list[str] = []
    classifier = load_classifier(bundle)
    classifier.load()
    try:
        for start in range(0, len(images), _CHUNK):
            chunk = images[start : start + _CHUNK]
            decoded = decode_images(chunk, bundle.input, cache=_NO_CACHE, skip_broken=skip_broken)
            skipped += decoded.broken
            kept += (image for image in chunk if image.name not in decoded.broken)
            for name, pixels in zip(decoded.names, decoded.pixels, strict=True):
                logits = classifier.forward(classifier.prepare(pixels))
                _check_logits(logits, len(labels), name)
                predictions.append(int(logits.argmax()))
                if on_image is not None:
                    on_image(len(predictions) + len(skipped), len(images))
    finally:
        classifier.close()
    return Evaluation(
        labels,
        np.array([image.label for image in kept], np.int64),
        np.array(predictions, np.int64),
        _hash_images(kept, labels),
        tuple(skipped),
    )


def _images_of(dataset: "Dataset", split: Split) -> "Sequence[ImageRef]":
    return dataset.test if split is Split.TEST else dataset.train


def _hash_images(images: "Iterable[ImageRef]", classes: Sequence[str]) -> str:
    """Name a set of labelled images by their files' content, in whatever order they lie."""
    lines = sorted(f"{image.sha256} {classes[image.label]}\n" for image in images)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _check_logits(logits: "NDArray[np.float32]", classes: int, image: str) -> None:
    import numpy as np

    finite = int(np.isfinite(logits).sum())
    if logits.shape != (classes,) or finite != classes:
        raise BundleError(
            f"the artefact does not give one finite logit a label for {image}",
            got=f"{logits.size} logits, {finite} of them finite",
            allowed=str(classes),
            hint="Where a float16 recipe overflows, a float32 one does not",
        )


def describe_evaluation(evaluation: "Evaluation", bundle: "Bundle", dataset: "Dataset", split: Split) -> dict[str, Any]:
    """Return what --json prints; the confusion matrix as its cells that are not zero."""
    import dataclasses

    manifest = bundle.manifest
    return {
        "bundle_id": manifest["bundle_id"],
        "variant_id": manifest["variant_id"],
        "recipe": manifest["target"]["recipe"],
        "weights_source": manifest["model"]["weights"]["source"],
        "data": dataset.source,
        "split": split,
        "image_set_sha256": evaluation.image_set_sha256,
        "available": len(_images_of(dataset, split)),
        "images": evaluation.images,
        "skipped": evaluation.skipped,
        "correct": evaluation.correct,
        "model_bytes": bundle.size_bytes,
        "accuracy": evaluation.accuracy,
        "interval_95": [evaluation.low, evaluation.high],
        "classes": [
            {"label": label, "images": images, "recall": recall}
            for label, images, recall in zip(
                evaluation.classes, evaluation.class_counts, evaluation.recalls, strict=True
            )
        ],
        "confusion": [dataclasses.asdict(cell) for cell in evaluation.cells],
        "most_confused": [dataclasses.asdict(cell) for cell in evaluation.most_confused(PAIRS_SHOWN)],
    }


def _print_report(evaluation: "Evaluation", heading: str) -> None:
    from rich.text import Text

    from mobisdk.report.printable import printable

    out = stdout()
    out.print(Text(printable(heading), style="bold"))
    out.print(
        f"{evaluation.accuracy:.1%} right: {evaluation.correct} of {evaluation.images} images, "
        f"95 % interval {evaluation.low:.1%} to {evaluation.high:.1%}"
    )
    print_confusion(evaluation)


def _explain(evaluation: "Evaluation", bundle: "Bundle", split: Split, available: int) -> Iterator[str]:
    """Say which images the figure is of, and what it means."""
    if evaluation.skipped:
        yield f"Left out as broken: {len(evaluation.skipped)} ({list_names(evaluation.skipped)})."
    done = evaluation.images + len(evaluation.skipped)
    if done < available:
        yield f"--limit: {done} of {available} images were taken, every class keeping its share."
    if bundle.manifest["model"]["weights"]["source"] == "random":
        yield "These weights are untrained: the accuracy means nothing yet."
        return
    if split is Split.TRAIN:
        yield "The network may have learnt these very images: on new ones expect less. --split test tells."
        return
    guessing = max(evaluation.class_counts) / evaluation.images
    if evaluation.low <= guessing:
        yield f"That cannot be told from always naming the commonest class, which is right for {guessing:.1%}."
        return
    yield (
        f"Of new images like these, {evaluation.low:.1%} to {evaluation.high:.1%} should be named right; "
        "four times the images halve that range."
    )
    if bundle.target.runtime == "coreml":
        yield "Core ML's program was evaluated by torch here; an iPhone rounds a little differently."


def _next_command(bundle: "Bundle", path: Path, data: str) -> str:
    """What to type next: training, for weights that know nothing; else the measurement that this computer can make."""
    spec = bundle.manifest["model"]["spec"]
    if bundle.manifest["model"]["weights"]["source"] == "random":
        network = f" --arch {spec['arch']} --alpha {spec['alpha']:g} --resolution {spec['resolution']}" if spec else ""
        return f"train{network} --data {data}"
    return f"verify {path}" if bundle.target.runtime == "coreml" else f"bench {path}"
