"""The golden sample: a photograph, what preprocessing makes of it, and the network's own logits."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobiconvert.recipes import Recipe

_IMAGE, _INPUT, _OUTPUT = "golden_image.png", "golden_input.u8", "golden_output.f32"


def write_golden(
    folder: Path, photograph: NDArray[np.uint8], network_input: NDArray[np.uint8], logits: NDArray[np.float64]
) -> None:
    """Write the three files of contract 1."""
    Image.fromarray(photograph).save(folder / _IMAGE, optimize=True)
    (folder / _INPUT).write_bytes(network_input.tobytes())
    (folder / _OUTPUT).write_bytes(logits.astype("<f4").tobytes())


def describe_golden(
    reference: NDArray[np.float64], actual: NDArray[np.float32], recipe: Recipe, flips: float
) -> dict[str, Any]:
    """The manifest's `golden`.

    The tolerance is twice the error of the artefact here, and what another phone's rounding may add: to sums and, as
    `flips`, to activations of few levels. Rounded up to two digits, it keeps the last bits of one host's arithmetic out
    of bundle_id.
    """
    error = float(np.abs(actual - reference).max())
    bound = 2 * error + (recipe.golden_margin + flips) * float(np.abs(reference).max())
    unit = 10.0 ** (math.floor(math.log10(bound)) - 1)
    tolerance = float(f"{math.ceil(bound / unit) * unit:.2g}")
    return {"image": _IMAGE, "input": _INPUT, "output": _OUTPUT, "tolerance": tolerance}
