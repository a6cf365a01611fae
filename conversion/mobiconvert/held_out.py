"""Whether a network that was made smaller still names what it named: top-1 on held-out images, before and after."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from mobiconvert.calibration import Calibration
from mobiconvert.deployment import DeployedNetwork, compute_logits
from mobiconvert.layer_sqnr import LayerSqnr, worst_layers
from mobisdk.data.photographs import image_set_sha256
from mobisdk.errors import ParityError

DEFAULT_MAX_DROP = 1.0
"""Percentage points of top-1."""
_LAYER_IMAGES = 8


@dataclasses.dataclass(frozen=True)
class HeldOutCheck:
    """Shares are 0 to 1."""

    source: str
    images: int
    image_set_sha256: str
    network_top1: float
    artefact_top1: float
    top1_agreement: float
    """Share of images that both name alike, right or wrong."""
    max_drop: float
    """Percentage points of top-1 that the recipe may cost."""
    kept_anyway: bool
    """It fell by more, and was asked for all the same."""
    worst_layers: tuple[LayerSqnr, ...]
    """Where it fell by more: the layers that are furthest from the network's own."""


def check_held_out(
    deployed: DeployedNetwork,
    run: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    calibration: Calibration,
    measure: Callable[[NDArray[np.uint8]], Sequence[LayerSqnr]],
    *,
    recipe: str,
    max_drop: float,
    keep_anyway: bool,
) -> HeldOutCheck:
    """Compare the network with the artefact, which `run` runs on (N,H,W,3) uint8 images, on held-out images.

    `measure` compares their layers on such images, where top-1 has fallen too far.

    Raises:
        ParityError: top-1 falls by more than `max_drop` percentage points, and `keep_anyway` is not set. The layers
            with the worst SQNR are named.
    """
    labels = calibration.held_out_labels
    before = compute_logits(deployed, calibration.held_out, torch.float32).argmax(axis=1)
    after = run(calibration.held_out).argmax(axis=1)
    before_share, after_share = float(np.mean(before == labels)), float(np.mean(after == labels))
    too_much = 100 * (before_share - after_share) > max_drop
    worst = tuple(worst_layers(measure(calibration.held_out[:_LAYER_IMAGES]))) if too_much else ()
    check = HeldOutCheck(
        source=calibration.source,
        images=len(labels),
        image_set_sha256=image_set_sha256(calibration.held_out),
        network_top1=before_share,
        artefact_top1=after_share,
        top1_agreement=float(np.mean(before == after)),
        max_drop=max_drop,
        kept_anyway=too_much and keep_anyway,
        worst_layers=worst,
    )
    if too_much and not keep_anyway:
        furthest = ", ".join(f"{layer.layer} {layer.sqnr_db:.1f} dB" for layer in worst)
        raise ParityError(
            f"{recipe} loses too much: of {check.images} held-out images of {check.source} the network names "
            f"{check.network_top1:.1%} right and the artefact {check.artefact_top1:.1%}; "
            f"the layers with the worst SQNR are {furthest}",
            got=f"{100 * (before_share - after_share):.1f} points",
            allowed=f"--max-drop {max_drop:g}",
            hint="Calibrate with more images, take a recipe with more bits or one that trains (xnnpack_int8_qat), or "
            "--keep-anyway",
        )
    return check
