"""`mobisdk classify`: one image through a bundle, the way the apps do it."""

import time
from pathlib import Path
from typing import Annotated

import typer

from mobisdk.cli.bundles import BundlePath, open_bundle
from mobisdk.cli.console import Json, print_json, say, stdout


def classify(
    bundle: BundlePath,
    image: Annotated[Path, typer.Argument(help="JPEG, PNG or WebP.", show_default=False)],
    json: Json = False,
) -> None:
    """Print the likeliest labels of an image.

    With the milliseconds that they took.
    """
    from mobisdk.devices.top_k import top_k
    from mobisdk.preprocess import load_image, preprocess

    pixels = load_image(image)
    with open_bundle(bundle) as opened:
        from mobiconvert import load_classifier

        classifier = load_classifier(opened)
        classifier.load()
        try:
            classifier.forward(classifier.prepare(opened.golden_input()))  # the first is slower, and not typical
            started = time.perf_counter_ns()
            prepared = classifier.prepare(preprocess(pixels, opened.input))
            preprocessed = time.perf_counter_ns()
            logits = classifier.forward(prepared)
            finished = time.perf_counter_ns()
        finally:
            classifier.close()
        labels = opened.labels()
        top = [{"label": labels[index], "probability": round(share, 6)} for index, share in top_k(logits)]
        manifest = opened.manifest
    preprocess_ms, inference_ms = (preprocessed - started) / 1e6, (finished - preprocessed) / 1e6
    if manifest["model"]["weights"]["source"] == "random":
        say("These weights are untrained: the labels mean nothing yet, the milliseconds do.")
    if manifest["target"]["runtime"] == "coreml":
        say("Core ML's program was evaluated by torch here: the labels are the phone's, the milliseconds are not.")
    if json:
        print_json({"top": top, "preprocess_ms": preprocess_ms, "inference_ms": inference_ms})
        return
    for rank in top:
        stdout().print(f"{rank['probability']:7.2%}  {rank['label']}", markup=False)
    stdout().print(f"{preprocess_ms:.2f} ms preprocessing, {inference_ms:.2f} ms inference", markup=False)
