"""`verify --layers`: where in the network an artefact loses its likeness."""

import contextlib
import dataclasses
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mobisdk.cli.checks import Check
from mobisdk.cli.labelled_images import choose_images
from mobisdk.errors import MobiError, UnsupportedError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mobisdk.bundle import Bundle
    from mobisdk.cli.networks import Network

_IMAGES = 16
"""Each runs twice, and every layer of it is compared: a figure in decibels needs no more."""


def check_layers(bundle: "Bundle", network: "Network", source: str | None, limit: int | None) -> Check:
    """Compare each layer on images of the data set `source`, else on the packaged photographs.

    Raises:
        ConfigError: `limit` is below 1.
        DataError: there is no such data, or an image is broken.
        BundleError: the artefact cannot be run.
    """
    from mobiconvert.deployment import DeployedNetwork
    from mobiconvert.layer_sqnr import measure_package_layers, worst_layers
    from mobisdk.data.photographs import image_set_sha256

    images, whence = _choose(bundle, source, limit)
    try:
        if bundle.target.runtime == "coreml":
            deployed = DeployedNetwork(network.module, network.input)
            layers = measure_package_layers(bundle.model_path, deployed, images)
        else:
            from mobiconvert.lowered_again import measure_program_layers

            whence += ", in the graph that lowers to this very program"
            layers = measure_program_layers(bundle, network.module, _find_calibration(bundle, network, source), images)
    except UnsupportedError as refusal:
        return Check("layers", None, str(refusal))
    levels = [layer.sqnr_db for layer in layers]
    falls = [0.0, *(before - after for before, after in itertools.pairwise(levels))]
    (lowest,), steepest = worst_layers(layers, 1), layers[falls.index(max(falls))]
    return Check(
        "layers",
        True,
        f"{len(layers)} layers on {len(images)} {whence}; least like the network's is {lowest.layer} "
        f"({lowest.sqnr_db:.1f} dB), the steepest fall is at {steepest.layer} ({max(falls):.1f} dB)",
        {
            "images": len(images),
            "image_set_sha256": image_set_sha256(images),
            "layers": [
                {**dataclasses.asdict(layer), "fall_db": fall} for layer, fall in zip(layers, falls, strict=True)
            ],
        },
        [
            {"layer": layer.layer, "kind": layer.kind, "SQNR dB": f"{layer.sqnr_db:.1f}", "fall dB": f"{fall:.1f}"}
            for layer, fall in zip(layers, falls, strict=True)
        ],
    )


def _choose(bundle: "Bundle", source: str | None, limit: int | None) -> "tuple[NDArray[np.uint8], str]":
    from mobisdk.data import decode_images, open_dataset
    from mobisdk.data.photographs import photograph_crops

    count = _IMAGES if limit is None else limit
    if source is None:
        return photograph_crops(count, bundle.input), "crops of the packaged photographs"
    dataset = open_dataset(source)
    chosen = choose_images(dataset.test, count, "--limit")
    images = decode_images(chosen, bundle.input, cache=Path(os.devnull))
    return images.pixels, f"held-out images of {dataset.source}"


def _find_calibration(bundle: "Bundle", network: "Network", source: str | None) -> "NDArray[np.uint8]":
    """The images that the artefact's ranges were measured on, known by their hash.

    Only data that the user, or the user's own run, names is opened: what a manifest names may be any file.

    Raises:
        UnsupportedError: they are not here.
    """
    from mobiconvert.conversion import PARITY_IMAGES
    from mobisdk.cli.calibration import load_calibration
    from mobisdk.data.photographs import image_set_sha256, photograph_crops

    crops = photograph_crops(PARITY_IMAGES, bundle.input)
    described = bundle.manifest.get("calibration")
    if described is None or described["image_set_sha256"] == image_set_sha256(crops):
        return crops
    for data in dict.fromkeys(filter(None, (source, network.data, "digits"))):
        with contextlib.suppress(MobiError):  # of another size, of other classes, or too few: not these
            found = load_calibration(data, bundle.input, network.labels, described["images"]).images
            if image_set_sha256(found) == described["image_set_sha256"]:
                return found
    raise UnsupportedError(
        "the images that it was calibrated with are needed, and not here",
        got=described["source"],
        hint="Name them with --images",
    )
