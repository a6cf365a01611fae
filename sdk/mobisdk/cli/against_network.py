"""A bundle's artefact against the network that it was made from, on a person's own images."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobisdk.cli.labelled_images import choose_images
from mobisdk.cli.networks import Network, create_untrained_network, load_trained_network
from mobisdk.errors import DataError, UnsupportedError
from mobisdk.specs import ModelSpec, spec_from_dict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mobisdk.bundle import Bundle
    from mobisdk.data import DecodedImages
    from mobisdk.devices.classifier import Classifier

_DEFAULT_MAX_DROP = 1.0


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One output of artefact and network on the same images; shares are 0 to 1."""

    output: str
    data: str
    images: int
    image_set_sha256: str
    top1_agreement: float
    max_abs_error: float
    relative_error: float
    sqnr_db: float
    network_top1: float | None
    """Share that the network names right; None where the images' classes are not the bundle's."""
    artefact_top1: float | None
    bound: str
    """What must hold, in words."""
    ok: bool


def open_network(bundle: "Bundle", checkpoint: Path | None, runs: Path) -> Network:
    """The network with the very weights that the bundle was made from.

    From `checkpoint`; else from the run that the manifest names; else, where it was untrained, from its seed.

    Raises:
        DataError: there is no such checkpoint, or its weights are others.
        UnsupportedError: the bundle does not say how its network is built.
    """
    from mobisdk.models.checkpoint import read_checkpoint_spec, weights_sha256

    model = bundle.manifest["model"]
    if checkpoint is None and model["weights"]["source"] == "checkpoint":
        checkpoint = _find_run(runs, model["weights"]["detail"])
    if checkpoint is not None:
        is_supernet = read_checkpoint_spec(checkpoint).supernet is not None
        cut = {name: model["spec"][name] for name in ("alpha", "resolution")} if is_supernet else {}
        network = load_trained_network(checkpoint, cut)
    elif model["spec"] is not None:
        network = create_untrained_network(spec_from_dict(ModelSpec, model["spec"]))
    else:
        raise UnsupportedError(f"{bundle.name} was made from a module of its own, which only its author can build")
    if weights_sha256(network.module.state_dict()) != model["weights"]["sha256"]:
        raise DataError(
            f"{bundle.name} was made from other weights than these",
            got=str(checkpoint or network.weights.detail),
            hint=f"It names its own: {model['weights']['detail'][:200]!r}",
        )
    return network


def _find_run(runs: Path, name: str) -> Path:
    """The checkpoint of a run; its name comes from a manifest, so it may be hostile."""
    from mobisdk.training.compressed import read_compressions
    from mobisdk.training.runs import list_runs

    found = [run.checkpoint for run in list_runs(runs) if run.name == name and run.checkpoint]
    found += [run.checkpoint for run in read_compressions(runs) if run.folder.name == name]
    if not found:
        raise DataError(f"there is no run of this name in {runs}", got=name, hint="Name its file with --checkpoint")
    return found[0]


def compare_with_network(
    bundle: "Bundle",
    network: Network,
    source: str,
    limit: int | None,
    load: "Callable[[Bundle], Classifier]",
) -> Comparison:
    """Run both on held-out images of the data set `source`, each class keeping its share of `limit`.

    `load` opens the artefact with what runs it.

    Raises:
        ConfigError: `limit` is below 1.
        DataError: there is no such data, or an image is broken.
        BundleError: the artefact cannot be run.
        UnsupportedError: nothing here runs this kind of artefact.
    """
    import os

    import numpy as np
    import torch

    from mobiconvert import find_recipe
    from mobiconvert.deployment import DeployedNetwork, compute_logits
    from mobiconvert.level_flips import measure_level_flips
    from mobiconvert.parity import measure_parity
    from mobisdk.data import decode_images, open_dataset
    from mobisdk.data.photographs import image_set_sha256

    dataset = open_dataset(source)
    images = decode_images(choose_images(dataset.test, limit, "--limit"), bundle.input, cache=Path(os.devnull))
    classifier = load(bundle)
    classifier.load()
    try:
        actual = np.stack([classifier.forward(classifier.prepare(pixels)) for pixels in images.pixels])
    finally:
        classifier.close()
    deployed = DeployedNetwork(network.module, network.input).eval()
    expected = compute_logits(deployed, images.pixels, torch.float32)
    parity = measure_parity(expected, actual)
    same_classes = dataset.classes == bundle.labels()
    before, after = (_share_right(logits, images) if same_classes else None for logits in (expected, actual))
    recipe = find_recipe(bundle.target.recipe, bundle.target.platform)
    if recipe.error is not None:
        allowed = recipe.error + measure_level_flips(deployed, images.pixels, recipe.precision)
        ok, bound = parity.relative_error <= allowed, f"relative error of a logit at most {allowed:.3g}"
    elif before is not None and after is not None:
        allowed = _max_drop(bundle.manifest)
        ok, bound = 100 * (before - after) <= allowed, f"top-1 falls by at most {allowed:g} points"
    else:
        ok, bound = True, "none: the recipe is lossy, and the images' classes are not the bundle's"
    return Comparison(
        bundle.manifest["output"]["name"],
        dataset.source,
        parity.images,
        image_set_sha256(images.pixels),
        parity.top1_agreement,
        parity.max_abs_error,
        parity.relative_error,
        parity.sqnr_db,
        before,
        after,
        bound,
        ok,
    )


def _share_right(logits: "NDArray[np.floating[Any]]", images: "DecodedImages") -> float:
    return float((logits.argmax(axis=1) == images.labels).mean())


def _max_drop(manifest: Any) -> float:
    held_out = manifest["parity"].get("held_out")
    return float(held_out["max_drop"]) if held_out else _DEFAULT_MAX_DROP
