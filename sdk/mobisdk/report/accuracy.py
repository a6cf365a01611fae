"""What `mobisdk evaluate --json` found, read back to stand beside the latency of the same variants."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mobisdk.errors import DataError

_HINT = "`mobisdk evaluate BUNDLE --data DATA --json > FILE` writes one"


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """The share of images that an artefact named right, with its 95 % interval; `source` is where that is written."""

    variant_id: str
    share: float
    low: float
    high: float
    images: int
    image_set_sha256: str
    """Names the images: figures of one set can be compared."""
    source: str
    model_bytes: int | None = None
    """Size of the artefact; null where an older evaluation does not say."""


def format_accuracy(accuracy: Accuracy) -> str:
    """`97.8 [96.1, 98.9]`, in percent."""
    share, low, high = (f"{100 * value:.1f}" for value in (accuracy.share, accuracy.low, accuracy.high))
    return f"{share} [{low}, {high}]"


def read_accuracies(paths: Iterable[Path]) -> Mapping[str, Accuracy]:
    """Read evaluations, by variant: like latency, accuracy joins on the variant, not on the bundle.

    Raises:
        DataError: a file is no evaluation, or of untrained weights; or two are of different images, or disagree about a
            variant, and the text names both.
        OSError: a file cannot be read.
    """
    joined: dict[str, Accuracy] = {}
    for accuracy in map(_read, paths):
        first = next(iter(joined.values()), accuracy)
        if accuracy.image_set_sha256 != first.image_set_sha256:
            raise DataError(
                f"the accuracies of {first.source!r} and {accuracy.source!r} are of different images",
                hint="Evaluate every bundle on the same data",
            )
        earlier = joined.setdefault(accuracy.variant_id, accuracy)
        if earlier.share != accuracy.share:
            raise DataError(
                f"{earlier.source!r} and {accuracy.source!r} disagree about the accuracy of one variant",
                got=[earlier.share, accuracy.share],
                hint="Keep the one whose weights will be shipped",
            )
    return joined


def _read(path: Path) -> Accuracy:
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError too
        raise DataError(f"{str(path)!r} is no JSON document: {error}", hint=_HINT) from error
    if not isinstance(document, dict):
        raise DataError(f"{str(path)!r} is no evaluation", got=document, allowed="a JSON object", hint=_HINT)

    def value(name: str, kind: type | tuple[type, ...]) -> Any:
        found = document.get(name)
        if not isinstance(found, kind) or isinstance(found, bool):
            raise DataError(f"{name} of {str(path)!r} is missing or wrong", got=found, hint=_HINT)
        return found

    if value("weights_source", str) == "random":
        raise DataError(
            f"{str(path)!r} is of untrained weights, whose accuracy is chance", hint="Evaluate the trained network"
        )
    share, interval, images = value("accuracy", (int, float)), value("interval_95", list), value("images", int)
    is_share = [isinstance(figure, int | float) and 0 <= figure <= 1 for figure in (share, *interval)]
    if is_share != [True] * 3 or interval != sorted(interval) or images < 1:
        found = {"accuracy": share, "interval_95": interval, "images": images}
        raise DataError(f"the figures of {str(path)!r} are wrong", got=found, allowed="shares of images", hint=_HINT)
    low, high = interval
    model_bytes = value("model_bytes", int) if "model_bytes" in document else None
    if model_bytes is not None and model_bytes < 1:
        raise DataError(f"model_bytes of {str(path)!r} is wrong", got=model_bytes, allowed="1 or more", hint=_HINT)
    image_set = value("image_set_sha256", str)
    return Accuracy(value("variant_id", str), share, low, high, images, image_set, str(path), model_bytes)
