"""How often int8 artefacts name what their network names: CIFAR-10's whole test set, a network trained on the rest.

    python tests/benchmarks/bench_agreement.py [--data ../shared/data/cifar10] [--runs runs] [--checkpoint FILE]

Without a checkpoint it trains for five minutes, unless that run is there already; such a network leaves many images
between two classes, where rounding decides. The table replaces the one in docs/conversion.md.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from report import put_table

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "conversion.md"
RECIPES = (("xnnpack_int8", "android"), ("coreml_int8", "ios"))
RUN = "bench-agreement"


def main() -> None:
    """Train where that is needed, export, count, and put the table into the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/cifar10")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument(
        "--checkpoint", type=Path, help="A network that was trained on the data, in place of five minutes."
    )
    options = parser.parse_args()
    if not options.data.exists():
        sys.exit(f"{options.data} is not here: bench-agreement needs CIFAR-10 as Parquet, see --data")
    table = write_table(options.data, options.runs, options.checkpoint)
    put_table(DOCUMENT, "bench-agreement", table)


def write_table(data: Path, runs: Path, checkpoint: Path | None) -> str:
    """One row a recipe: top-1 of network and artefact, and the share of images that both name alike."""
    import torch

    from mobiconvert import find_recipe, load_classifier
    from mobiconvert.deployment import DeployedNetwork, compute_logits
    from mobisdk.cli.calibration import load_calibration
    from mobisdk.cli.networks import convert_network, load_trained_network
    from mobisdk.data import decode_images, open_dataset
    from mobisdk.specs import ModelSpec
    from mobisdk.training import TrainSpec, train

    if checkpoint is None:
        checkpoint = runs / RUN / "last.safetensors"
        if not checkpoint.exists():
            spec = ModelSpec(alpha=0.25, resolution=32, stem_stride=1)
            train(TrainSpec(spec, data=str(data), epochs=2), runs=runs, name=RUN)
    network = load_trained_network(checkpoint, {})
    images = decode_images(open_dataset(str(data)).test, network.input, cache=Path(os.devnull))
    deployed = DeployedNetwork(network.module, network.input).eval()
    expected = compute_logits(deployed, images.pixels, torch.float32).argmax(axis=1)
    calibration = load_calibration(str(data), network.input, network.labels, 256)
    lines = ["| recipe | network right | artefact right | both agree |", "|---|---|---|---|"]
    for name, platform in RECIPES:
        with tempfile.TemporaryDirectory() as folder:
            bundle = convert_network(network, find_recipe(name, platform), Path(folder), calibration=calibration)
            classifier = load_classifier(bundle)
            classifier.load()
            actual = np.array([classifier.forward(classifier.prepare(image)).argmax() for image in images.pixels])
            classifier.close()
        right = (float((each == images.labels).mean()) for each in (expected, actual))
        agree = float((actual == expected).mean())
        lines.append(f"| `{name}` | " + " | ".join(f"{share:.2%}" for share in (*right, agree)) + " |")
    return "\n".join(
        [*lines, "", f"{network.spec.name}, {len(images.pixels):,} test images of CIFAR-10, `make bench-agreement`."]
    )


if __name__ == "__main__":
    main()
